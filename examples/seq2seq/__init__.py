"""A generator that begins from nothing and learns from rated answers alone."""

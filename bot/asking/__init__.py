"""Questions: who may ask what where, and how each is taken to its answer."""

"""What learning from ratings gains: base and learned in one run."""

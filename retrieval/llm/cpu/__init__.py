"""A causal model in 8-bit integers, for processors without a GPU."""

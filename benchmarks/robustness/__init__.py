"""What noise in questions costs, and how much of that learning from noisy twins saves."""

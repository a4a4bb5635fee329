"""What is learned from and measured on: examples, found again in the served index."""

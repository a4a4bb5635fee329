"""Learning to find the right passages."""

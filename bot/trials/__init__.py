"""Candidates on trial: who answered, how people took it, and the way back."""

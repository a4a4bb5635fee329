"""Whimbrel's search beside other libraries': the same passages, embedder and machine."""

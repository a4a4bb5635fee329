"""Text from a local model: greedy, streamed, and many at once."""

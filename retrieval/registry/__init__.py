"""Immutable folders published by one rename, and the history of models in them."""

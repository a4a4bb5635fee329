"""The sub-commands of `whimbrel` that make something better from data."""

"""Rated and labelled examples in, a better model out."""

"""Teaches the generator to write answers as people corrected and approved them."""

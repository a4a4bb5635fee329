"""Trains adapters of the generator on answers as people corrected and approved them."""

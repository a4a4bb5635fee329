"""Asks what was asked before once more: what would a candidate change?"""

"""Checking a whole store: what can be wrong with it, how that is found, and what can be repaired."""

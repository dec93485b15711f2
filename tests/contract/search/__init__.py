"""Searching by name on every store."""

"""Assertions, in dictionaries."""

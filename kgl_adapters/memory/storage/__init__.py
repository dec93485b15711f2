"""Checking a store in memory as a whole."""

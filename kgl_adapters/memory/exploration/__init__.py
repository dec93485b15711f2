"""Walks over what a store in memory holds."""

"""Entities, relationships and their changes, in dictionaries."""

"""Entities, relationships and their changes, in tables."""

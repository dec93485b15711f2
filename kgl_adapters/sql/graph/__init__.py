"""Entities, relationships and their changes, in tables. Nothing here knows an account."""

"""Entities, relationships and their changes, in memory."""

"""Naming: the words of names in every script, and what an entity is found by."""

"""Entities and relationships, what can be done with them, and the journal of their changes.

Imports the kernel alone: nothing here knows an account, a load or a check.
"""

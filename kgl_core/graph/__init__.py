"""Entities and relationships, what may be done with them, and the journal of their changes.

Stands on the kernel alone: nothing here knows accounts, loads or checks.
"""

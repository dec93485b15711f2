"""Connections to PostgreSQL and SQLite: made, lent, bounded, lost, replicated. Nothing here knows a table."""

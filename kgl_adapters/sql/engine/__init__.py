"""Connections to SQLite and PostgreSQL: opened, lent, timed out, lost and replaced. Nothing here knows a table."""

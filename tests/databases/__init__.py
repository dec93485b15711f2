"""What stands between kgl and PostgreSQL, or behind it: a pooler, a server that restarts, a standby."""

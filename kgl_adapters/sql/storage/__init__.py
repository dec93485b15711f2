"""A database as a whole: migrating it, checking it, reading from a standby, and dry runs of a load."""

"""A database as a whole: migrating it, checking it, and rehearsing a load over it."""

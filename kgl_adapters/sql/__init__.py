"""The stores' ports over SQLAlchemy Core: one set of statements for SQLite and PostgreSQL."""

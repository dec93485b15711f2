"""What every subject's tables need: column types, rows, statements, and the repository of a noun. Knows no subject."""

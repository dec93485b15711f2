"""What every subject keeps in dictionaries: the records of a noun, kept answers, and what expires."""

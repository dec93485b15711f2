"""The stores' ports over dictionaries: what ``memory://`` opens, and what the SQL stores are compared with."""

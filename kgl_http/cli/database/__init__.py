"""Commands on the database itself: its tables, its indexes, and whether all in it is right."""

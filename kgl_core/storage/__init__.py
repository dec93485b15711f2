"""What is done to a store as a whole: load, dump, count, check and repair it. May import every other subject."""

"""What is done to a store as a whole: load, dump, count, check and repair it. It may use every other subject."""

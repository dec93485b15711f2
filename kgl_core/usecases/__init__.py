"""What can be done with the graph: a class a concept, a method a verb; the only callers of a unit of work."""

"""Walks over the tables of the graph."""

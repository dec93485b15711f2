"""Walks over the graph: neighborhoods, paths, subgraphs, common neighbors, summaries and patterns.

Knows the graph and reads it only; nothing here writes.
"""

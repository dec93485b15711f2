"""Who says so: sources, the assertions that support facts or speak against them, and what extractors find in documents.

A fact is an entity or a relationship. This room knows the graph; the graph does not know this room.
"""

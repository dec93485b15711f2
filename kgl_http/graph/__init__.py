"""The resources of entities, relationships and changes."""

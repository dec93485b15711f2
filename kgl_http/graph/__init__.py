"""The resources of entities, relationships and changes. They know no other subject's resources."""

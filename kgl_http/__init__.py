"""kgl's outer ring: how people and programs reach a knowledge graph from outside Python."""

"""The core's ports on real technology. `connect` opens a knowledge graph in memory, SQLite or PostgreSQL."""

from kgl_adapters.connect import connect

__all__ = ["connect"]

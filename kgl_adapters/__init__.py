"""The ports on real technology: `connect` opens a knowledge graph on memory, SQLite or PostgreSQL."""

from kgl_adapters.connect import connect

__all__ = ["connect"]

"""Loads: many records created or updated, batch by batch. What becomes of a batch is decided without the store."""

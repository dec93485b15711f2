"""Loading many records in batches. What becomes of a batch is decided without asking the store again."""

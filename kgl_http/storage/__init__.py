"""The resources of the store as a whole: import, export, counts."""

"""Extraction: all that one extractor found in one document, said at once, and taken back at once."""

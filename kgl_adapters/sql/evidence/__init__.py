"""Sources and assertions, in tables."""

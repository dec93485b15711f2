"""Users, OAuth clients, tokens and throttling counters, in tables. Nothing here knows an entity."""

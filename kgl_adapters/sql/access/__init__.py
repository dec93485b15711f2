"""Users, OAuth clients, tokens and throttling, in tables."""

"""Users, OAuth clients, tokens and throttling, in memory."""

"""Users, OAuth clients, tokens and throttling counters, in dictionaries."""

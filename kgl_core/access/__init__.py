"""Users, passwords, logging in, tokens, OAuth clients and throttling.

Stands on the kernel alone: nothing here knows the graph.
"""

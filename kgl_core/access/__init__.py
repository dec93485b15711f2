"""Users, passwords, logging in, tokens, OAuth clients and throttling.

Imports the kernel alone: nothing here knows an entity, a load or a check.
"""

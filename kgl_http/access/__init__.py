"""The resources of accounts, logging in, tokens and OAuth clients."""

"""The resources of accounts, logging in, tokens and OAuth clients. They know no other subject's resources."""

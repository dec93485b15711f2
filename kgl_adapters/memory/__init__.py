"""The ports over dictionaries: the executable specification, and the offline mode (``memory://``)."""

"""Password hashes, signed tokens and encrypted answers, made by well-known libraries. Nothing here knows a store."""

"""Password hashes, signed tokens and sealed answers, by well-known libraries."""

"""Origins: the sources that say something, the extractors that find it there, how far each is trusted."""

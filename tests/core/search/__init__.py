"""Words, questions, ranking and highlights."""

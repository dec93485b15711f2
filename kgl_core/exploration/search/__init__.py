"""Search: questions, how their answers are ranked, suggestions, linking, and the words nearest to unknown ones."""

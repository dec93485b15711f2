"""The command ``kgl``, with a file for each group of commands."""

"""The command `kgl`: a file for each group of commands."""

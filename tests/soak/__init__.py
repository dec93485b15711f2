"""What takes minutes: loads that are killed, memory, and many writers at once."""

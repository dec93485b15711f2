"""Other ways to build the same service, for comparison. None of them checks who asks, logs or counts."""

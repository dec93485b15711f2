"""The service and its database when something fails: each test in a short form, and at length with ``-m soak``."""

"""The API's description, made from the operations and the core's classes, and the pages that show it."""

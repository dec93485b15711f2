"""The OpenAPI document, made from the operations and the core's classes, and the pages that show it."""

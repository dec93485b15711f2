"""What the API's paths lead to, a noun a file. A responder parses, calls one use case and renders."""

"""Whether the server is well, and the description of its API."""

"""pipe0, as the sandbox serves it."""

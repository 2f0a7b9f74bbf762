"""Apollo, as the sandbox serves it."""

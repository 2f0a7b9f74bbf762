"""The vendors' clients, against the sandbox."""

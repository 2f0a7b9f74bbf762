"""Aturiya, as the sandbox serves it."""

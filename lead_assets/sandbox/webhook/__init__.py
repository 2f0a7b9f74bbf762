"""Somebody's own webhook, as the sandbox serves it."""

"""Hubspot, as the sandbox serves it."""

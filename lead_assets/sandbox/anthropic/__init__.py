"""Anthropic, as the sandbox serves it."""

"""Slack, as the sandbox serves it."""

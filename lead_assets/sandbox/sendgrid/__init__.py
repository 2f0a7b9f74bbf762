"""Sendgrid, as the sandbox serves it."""

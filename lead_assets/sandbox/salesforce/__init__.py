"""Salesforce, as the sandbox serves it."""

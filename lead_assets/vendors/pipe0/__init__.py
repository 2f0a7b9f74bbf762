"""pipe0."""

"""Segment, as the sandbox serves it."""

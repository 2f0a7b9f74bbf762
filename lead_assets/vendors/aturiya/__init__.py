"""The campaign API."""

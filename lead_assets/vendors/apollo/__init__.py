"""Apollo."""

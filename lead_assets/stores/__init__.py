"""The archive and the warehouse, locally and in production, and which of them the settings name."""

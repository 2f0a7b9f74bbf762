"""The archive and the warehouse, local and in production, and the choice between them by settings."""

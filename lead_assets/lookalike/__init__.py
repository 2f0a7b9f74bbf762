"""The lookalike room: known companies, and which of them are alike."""

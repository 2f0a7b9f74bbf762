"""The lookalike room: the companies that are known, and which of them are alike."""

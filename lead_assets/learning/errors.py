"""Why nothing could be learned, or a model could not be used."""

from __future__ import annotations


class CannotLearn(ValueError):
    """The table has nothing to learn from. The text says what is missing and what to do."""


class WrongModel(ValueError):
    """The file is no model, or was made by another version, or the table lacks what it needs."""

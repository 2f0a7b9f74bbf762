"""Limits on what is read from a sender. Does not belong here: the settings they come from (see `settings`)."""

from __future__ import annotations

from typing import NamedTuple


class DropLimits(NamedTuple):
    """Anything over one of these limits is one reject with its own code."""

    payload_bytes: int = 1 << 20
    """A larger single payload: `payload_too_large`."""
    drop_bytes: int = 8 << 30
    """A larger file, packed or unpacked: `file_too_large`."""
    unpack_ratio: int = 200
    """A file that unpacks to more than this many times its size: `unpacks_too_far`. JSON and CSV with leads unpack to 5 to 30 times."""


DEFAULT_LIMITS = DropLimits()

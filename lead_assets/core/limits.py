"""How much of what a sender gives is read at all. Does not belong here: which setting they come from (see `settings`)."""

from __future__ import annotations

from typing import NamedTuple


class Limits(NamedTuple):
    """What is over one of these is one reject with a code of its own."""

    payload_bytes: int = 1 << 20
    """A larger single payload: `payload_too_large`."""
    drop_bytes: int = 8 << 30
    """A larger file, packed or unpacked: `file_too_large`."""
    unpack_ratio: int = 200
    """A file that unpacks to more than so many times its size: `unpacks_too_far`. JSON and CSV of leads unpack to 5 to 30 times."""


DEFAULT_LIMITS = Limits()

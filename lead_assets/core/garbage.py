"""How often Python looks for garbage that refers to itself."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS = 200_000


@contextmanager
def garbage_seldom_sought() -> Iterator[None]:
    """Look for cycles after every 200,000 new objects instead of 700: rows and parsed answers contain none, and looking for some took a third of a rebuild's
    time. What no cycle holds is freed at once, as ever."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], _OBJECTS), 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)

"""Python looks for objects that refer to themselves whenever many new ones are alive. Payloads and rows never do, so looking through them is time lost.

Does not belong here: how often a whole process looks (see `lead_assets/__init__.py`).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_garbage_sought() -> Iterator[None]:
    """Within it, objects that refer to themselves stay; all others are freed at once, as ever. If two threads are in it, the first to leave ends it."""
    was_sought = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_sought:
            gc.enable()


@contextmanager
def garbage_sought() -> Iterator[None]:
    """Within `no_garbage_sought`, for what may take hours and leaves objects that refer to themselves: calls to providers do."""
    was_sought = gc.isenabled()
    gc.enable()
    try:
        yield
    finally:
        if not was_sought:
            gc.disable()

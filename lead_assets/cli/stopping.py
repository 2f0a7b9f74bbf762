"""SIGINT and SIGTERM end a command although Dagster handles them.

Dagster makes them a failure of the step that is under way. A command that then went on with the next run could not be stopped, and spent on.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def heeding_signals() -> Iterator[None]:
    """Ends the command after the block if one of these signals has come during it, whoever handled it: KeyboardInterrupt, or SystemExit with code 143."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    # Python writes each signal's number there, also of those whose exception is lost in a destructor.
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
        os.write(writer, b"\0")  # so that there is something to read
        came = [number for number in os.read(reader, 65536) if number in _ENDING]
    finally:
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)
    if came:
        raise KeyboardInterrupt if came[0] == signal.SIGINT else SystemExit(128 + came[0])

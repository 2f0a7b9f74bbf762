"""Who holds a claim, and whether they can still be alive.

A claim's lease ends by time. But a run that was killed is mostly started again on the same machine seconds later, and should not wait for
a lease whose holder is plainly gone: a holder's name says on which machine and in which process it lives, and there the operating system knows.
"""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import sys
import uuid
from pathlib import Path


def new_holder() -> str:
    """A name for one purchase of this process."""
    return f"{_machine()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def is_gone(holder: str) -> bool:
    """True only if the holder lived in this same machine and process space, and its process has ended. A re-used process id reads as alive."""
    machine, _, rest = holder.partition(":")
    pid = rest.partition(":")[0]
    if machine != _machine() or not pid.isdigit() or sys.platform == "win32":
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@functools.cache
def _machine() -> str:
    """This boot of this machine and, in a container, this container: elsewhere the same process id is another process."""
    parts = [socket.gethostname(), str(uuid.getnode())]
    for probe in (lambda: Path("/proc/sys/kernel/random/boot_id").read_text(), lambda: os.readlink("/proc/self/ns/pid")):
        try:
            parts.append(probe())
        except OSError:
            parts.append("")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]

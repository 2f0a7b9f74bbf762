"""Who holds a claim, and whether they may still be alive.

A lease ends by time. But a killed run is usually restarted on the same machine seconds later, and should not wait for
a holder that is clearly gone. A holder's name includes its machine and process, so on that machine the operating system knows.
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
    """A name for one purchase in this process."""
    return f"{_machine()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"


def is_gone(holder: str) -> bool:
    """True only if the holder ran on this machine, in this process namespace, and its process has ended. A reused process id counts as alive."""
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
    """Identifies this boot of this machine and, in a container, this container: elsewhere the same process id is another process."""
    parts = [socket.gethostname(), str(uuid.getnode())]
    for probe in (lambda: Path("/proc/sys/kernel/random/boot_id").read_text("utf-8"), lambda: os.readlink("/proc/self/ns/pid")):
        try:
            parts.append(probe())
        except OSError:
            parts.append("")
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]

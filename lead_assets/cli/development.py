"""`lead-assets dev`: the Dagster UI with sensors on, backed by the sandbox."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lead_assets.cli import runs
from lead_assets.cli.errors import CommandError
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.stores.opened import archive_of

_SERVE = [sys.executable, "-c", "from lead_assets.cli.app import main; main()", "serve", "--port"]


def serve(settings: Settings, port: int, announce: Callable[[dict[str, Any]], None], service_port: int = 0) -> int:
    """Run `dagster dev`, and the service beside it, until interrupted; returns its exit code. Campaigns in the archive are partitions from the start.

    `service_port`: 0 for no service. `announce` is called once with {"ui", "service", "landing", "vendors", "home"};
    `service` is null without one. Raises CommandError if `dev` already runs on this home.
    """
    with only_one(settings.home, f"http://127.0.0.1:{port}"):
        return _serve(settings, port, announce, service_port)


@contextmanager
def only_one(home: Path, ui: str) -> Iterator[None]:
    """Hold this home's lock for `dev` while the block runs. Two of them would both react to every landing file and every schedule.

    It is a lock of the operating system, so it ends with the process in any case. Raises CommandError.
    """
    home.mkdir(parents=True, exist_ok=True)
    with (home / "dev.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CommandError(
                f"'lead-assets dev' is already running on this home ({lock.read().strip() or 'just started'}): use that one, stop it with Ctrl-C, "
                f"or set LEAD_ASSETS_HOME to another folder (this one is {home.resolve()})"
            ) from None
        lock.truncate(0)
        lock.write(f"{ui}, process {os.getpid()}")
        lock.flush()
        yield


def _serve(settings: Settings, port: int, announce: Callable[[dict[str, Any]], None], service_port: int) -> int:
    if "://" not in settings.landing_location:
        Path(settings.landing_location).mkdir(parents=True, exist_ok=True)
    with runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, archive_of(settings).campaigns())
    # Alerts and the explorer link to this UI, and this UI to the explorer, unless somebody has said others.
    own = {"LEAD_ASSETS_UI_URL": f"http://127.0.0.1:{port}", "LEAD_ASSETS_SERVICE_URL": f"http://127.0.0.1:{service_port}"}
    environment = own | os.environ | {"LEAD_ASSETS_HOME": str(settings.home.resolve())}
    if settings.sandbox_url:
        environment["LEAD_ASSETS_SANDBOX_URL"] = settings.sandbox_url
    announce(
        {
            "ui": f"http://127.0.0.1:{port}",
            "service": f"http://127.0.0.1:{service_port}" if (serves := bool(service_port) and find_spec("uvicorn") is not None) else None,
            "landing": settings.landing_location,
            "vendors": settings.sandbox_url or "live",
            "home": str(settings.home.resolve()),
        }
    )
    # Dagster's output is a log: stdout is reserved for the answer.
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(project_file("workspace.yaml")), "-h", "127.0.0.1", "-p", str(port)]
    # Treat a termination like Ctrl-C, so that Dagster ends too: otherwise its sensors would run on without the sandbox.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    process = subprocess.Popen(command, env=environment, stdout=sys.stderr)  # noqa: S603 - our own interpreter and module
    service = subprocess.Popen([*_SERVE, str(service_port)], env=environment, stdout=sys.stderr) if serves else None  # noqa: S603 - as above
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        return process.wait()
    finally:
        if service is not None:
            service.terminate()
            service.wait()

"""`lead-assets dev`: the Dagster UI with sensors on, and the sandbox behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lead_assets.cli import runs
from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.stores.opened import archive_of


def serve(settings: Settings, port: int, announce: Callable[[dict[str, Any]], None]) -> int:
    """Run `dagster dev` until interrupted; returns its exit code. Campaigns already in the archive are partitions from the start.

    `announce` is called once with {"ui", "landing", "vendors", "home"}.
    """
    if "://" not in settings.landing_location:
        Path(settings.landing_location).mkdir(parents=True, exist_ok=True)
    with runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, archive_of(settings).campaigns())
    environment = os.environ | {"LEAD_ASSETS_HOME": str(settings.home.resolve())}
    if settings.sandbox_url:
        environment["LEAD_ASSETS_SANDBOX_URL"] = settings.sandbox_url
    announce(
        {
            "ui": f"http://127.0.0.1:{port}",
            "landing": settings.landing_location,
            "vendors": settings.sandbox_url or "live",
            "home": str(settings.home.resolve()),
        }
    )
    # What Dagster says is a log: stdout is for the answer alone.
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(project_file("workspace.yaml")), "-h", "127.0.0.1", "-p", str(port)]
    # A termination ends this process as Ctrl-C does, and Dagster with it: else it would live on with its sensors, without its sandbox.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    process = subprocess.Popen(command, env=environment, stdout=sys.stderr)  # noqa: S603 - our own interpreter and module
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.send_signal(signal.SIGINT)
        return process.wait()

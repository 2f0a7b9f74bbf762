"""`lead-assets dev`: the Dagster UI with sensors on, and the sandbox behind it."""

from __future__ import annotations

import os
import subprocess
import sys

from lead_assets.commands import runs
from lead_assets.project_files import project_file
from lead_assets.settings import Settings
from lead_assets.stores import archive_of


def serve(settings: Settings, port: int) -> int:
    """Run `dagster dev` until interrupted; returns its exit code. Campaigns already in the archive are partitions from the start."""
    from upath import UPath

    UPath(settings.landing_location).mkdir(parents=True, exist_ok=True)
    with runs.instance_of(settings) as instance:
        runs.add_campaigns(instance, archive_of(settings).campaigns())
    environment = os.environ | {"LEAD_ASSETS_HOME": str(settings.home.resolve())}
    if settings.sandbox_url:
        environment["LEAD_ASSETS_SANDBOX_URL"] = settings.sandbox_url
    print(f"Dagster UI   http://127.0.0.1:{port}", file=sys.stderr)
    print(f"landing      {settings.landing_location}  (drop files here; a sub-folder names their campaign)", file=sys.stderr)
    print(f"vendors      {'sandbox at ' + settings.sandbox_url if settings.sandbox_url else 'live'}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(project_file("workspace.yaml")), "-h", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own interpreter and module
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        return process.wait()

"""The main job on the fixtures: a demo on a fresh home, a second run, a rebuild of a deleted warehouse; what each takes and what it buys."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from lead_assets.sandbox import start

_ON_REQUEST = "classification.golden_evaluation"
"""Made by the demo, and by nobody's run: a deleted warehouse has none until somebody asks for it, for nothing."""


def command(home: Path, url: str, *arguments: str) -> tuple[float, dict[str, Any]]:
    # An environment that forbids bytecode files would measure the compiler.
    environment = {name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", "PYTHONDONTWRITEBYTECODE")}
    environment |= {"LEAD_ASSETS_HOME": str(home), "LEAD_ASSETS_SANDBOX_URL": url}
    began = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lead-assets"), *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return time.perf_counter() - began, json.loads(done.stdout)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        home = Path(folder) / "home"
        seconds, first = command(home, sandbox.url, "demo")
        print(f"demo {seconds:.1f} s wall, {first['billed']['calls']} calls (goal: under 45 s)")
        before = sandbox.meter()
        for label in ("second run --all", "warehouse deleted, run --all"):
            if "deleted" in label:
                shutil.rmtree(home / "warehouse")
            seconds, again = command(home, sandbox.url, "run", "--all")
            differ = [name for name, table in first["tables"].items() if again["tables"].get(name) != table and name != _ON_REQUEST]
            equal = f"NOT EQUAL: {', '.join(differ)}" if differ else "equal"
            metered = 0 if sandbox.meter() == before else "SOME"
            print(f"{label} {seconds:.1f} s wall, {metered} calls metered, tables {equal} (goal: 0 calls, equal)")


if __name__ == "__main__":
    main()

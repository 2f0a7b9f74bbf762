"""What the code location adds to `import dagster`: CPU seconds of fresh interpreters, alternating, as a ratio of medians."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys


def cpu_seconds(module: str) -> float:
    # An environment that forbids bytecode files would measure the compiler.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def main(rounds: int = 9) -> None:
    cpu_seconds("lead_assets.definitions")  # compiles what is not compiled yet
    pairs = [(cpu_seconds("dagster"), cpu_seconds("lead_assets.definitions")) for _ in range(rounds)]
    ours, dagster = statistics.median(ours for _, ours in pairs), statistics.median(dagster for dagster, _ in pairs)
    print(
        f"import lead_assets.definitions {ours:.2f} s CPU, import dagster {dagster:.2f} s, ratio {ours / dagster:.2f} (goal: at most 1.5)"
    )


if __name__ == "__main__":
    main()

"""`python -m benchmarks [NAME…]`: run benchmarks one after another, each in its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main(wanted: list[str]) -> int:
    unknown = sorted(set(wanted) - set(NAMES))
    if unknown:
        print(f"no benchmark {unknown[0]!r}: use {', '.join(NAMES)}", file=sys.stderr)
        return 2
    failed = 0
    # Not mutations: they measure the tests, and take a quarter of an hour.
    for name in wanted or [name for name in NAMES if name != "mutations"]:
        print(f"\n== {name}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    return failed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

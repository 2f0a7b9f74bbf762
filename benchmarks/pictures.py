"""The share of a run that pictures, previews and queries take: what every materialization shows of its rows.

    python -m benchmarks.pictures [--campaigns 25] [--leads 100]

First everything is bought and made, then everything is made again with the warehouse deleted. Seconds are of CPU.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.backfill_again import fill, timed
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.kit import tables
from lead_assets.sandbox import start


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=25)
    parser.add_argument("--leads", type=int, default=100)
    asked = parser.parse_args(arguments)
    shown = 0.0
    look = tables.look

    def timed_look(*given: Any) -> Any:
        nonlocal shown
        began = time.process_time()
        try:
            return look(*given)
        finally:
            shown += time.process_time() - began

    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        settings = Settings(home=Path(folder) / "home", sandbox_url=sandbox.url)
        names = fill(settings, asked.campaigns, asked.leads)
        definitions = build_defs(settings)
        tables.look = timed_look
        said: dict[str, float] = {}
        for name in ("bought", "rebuilt"):
            before, began = shown, time.process_time()
            timed(definitions, settings, names)
            run = time.process_time() - began
            said |= {
                f"{name}_s": round(run, 2),
                f"{name}_shown_s": round(shown - before, 2),
                f"{name}_share": round((shown - before) / run, 3),
            }
            shutil.rmtree(settings.warehouse_folder)
    print(json.dumps({"benchmark": "pictures", **said}))


if __name__ == "__main__":
    main()

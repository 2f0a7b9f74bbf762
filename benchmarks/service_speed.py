"""How long the service takes on loopback: `POST /webhooks/lead`, one sender after the other, and `/enrich` whose answers are all in the ledger.

`python -m benchmarks.service_speed`. The server is a process of its own with one worker; the sender is this one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import start

SENT, ENRICHED = 1_000, 100
LEAD = {"email": "ada@acmecapital.com", "full_name": "Ada Lovelace", "company": "Acme Capital", "title": "CTO", "country": "US"}


def times(sender: httpx.Client, path: str, bodies: list[dict[str, Any]]) -> str:
    took = []
    for body in bodies:
        began = time.perf_counter()
        answer = sender.post(path, json=body)
        took.append((time.perf_counter() - began) * 1_000)
        assert answer.status_code in (200, 202), answer.text
    took.sort()
    return f"{path}: {len(took)} requests, p50 {took[len(took) // 2]:.1f} ms, p99 {took[len(took) * 99 // 100]:.1f} ms"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        settings = Settings(home=Path(folder) / "home", sandbox_url=sandbox.url)
        with opened_ledger(settings) as ledger:
            key = ledger.keys.create("benchmark", ["admin"])[1]
        environment = os.environ | {"LEAD_ASSETS_HOME": str(settings.home), "LEAD_ASSETS_SANDBOX_URL": sandbox.url}
        command = [str(Path(sys.executable).parent / "lead-assets"), "serve", "--port", "0", "--json"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                url = json.loads(server.stdout.readline())["url"]
                with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as sender:
                    times(sender, "/enrich", [LEAD] * 5)
                    print(times(sender, "/webhooks/lead", [LEAD | {"email": f"p{n}@firm{n}.example"} for n in range(SENT)]))
                    print(times(sender, "/enrich", [LEAD] * ENRICHED))
            finally:
                server.terminate()


if __name__ == "__main__":
    main()

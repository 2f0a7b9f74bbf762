"""Eight `run` processes write different campaigns while a reader queries warehouse.duckdb in a loop: errors on either side, and the reader's latency."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from lead_assets.sandbox import start

WRITERS, LEADS, QUERIES = 8, 60, 500
SQL = (
    "SELECT f.campaign_id, f.received, COUNT(d.lead_id), SUM(s.score) FROM marts.campaign_funnel f "
    "LEFT JOIN routing.decisions d USING (campaign_id) LEFT JOIN scoring.scores s USING (campaign_id, lead_id) GROUP BY 1, 2"
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        home = Path(folder) / "home"
        environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
        environment |= {"LEAD_ASSETS_HOME": str(home), "LEAD_ASSETS_SANDBOX_URL": sandbox.url}
        binary = str(Path(sys.executable).parent / "lead-assets")
        for number in range(WRITERS):
            drop = Path(folder) / f"c{number}.ndjson"
            rows = [
                {"email": f"p{n}@firm{number}-{n}.example", "company": f"Firm {n}", "full_name": "Pat Doe", "country": "US"}
                for n in range(LEADS)
            ]
            drop.write_text("".join(json.dumps(row) + "\n" for row in rows))
            subprocess.run(
                [binary, "ingest", str(drop), "--campaign", f"c{number}", "--json"], env=environment, check=True, capture_output=True
            )
        subprocess.run([binary, "doctor", "--json"], env=environment, check=True, capture_output=True)
        began = time.perf_counter()
        # Each writer runs its campaign again and again until the reader is done, so that reads and writes always overlap.
        loop = f'while [ ! -e "{folder}/stop" ]; do "{binary}" run --campaign c$0 --json || exit 1; done'
        writers = [
            subprocess.Popen(["/bin/sh", "-c", loop, str(number)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for number in range(WRITERS)
        ]
        reader_errors, latencies, seen = 0, [], set()
        for _ in range(QUERIES):
            at = time.perf_counter()
            try:
                with duckdb.connect(str(home / "warehouse" / "warehouse.duckdb"), read_only=True) as connection:
                    seen.add(len(connection.execute(SQL).fetchall()))
            except duckdb.Error as error:
                reader_errors += 1
                print(f"reader: {error}", file=sys.stderr)
            latencies.append(time.perf_counter() - at)
            time.sleep(0.1)
        Path(folder, "stop").touch()
        failed = 0
        for writer in writers:
            _, stderr = writer.communicate()
            if writer.returncode:
                failed += 1
                print(stderr.decode()[-2000:], file=sys.stderr)
        print(
            f"{QUERIES} queries beside {WRITERS} run processes for {time.perf_counter() - began:.0f} s: "
            f"{reader_errors} reader errors, {failed} failed writers, "
            f"{sandbox.billed('pipe0', 'company:overview@2')} companies bought for {WRITERS * LEADS}, "
            f"query p50 {1000 * statistics.median(latencies):.0f} ms, p95 {1000 * statistics.quantiles(latencies, n=20)[18]:.0f} ms (goal: no error)"
        )


if __name__ == "__main__":
    main()

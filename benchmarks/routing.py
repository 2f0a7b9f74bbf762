"""1,000,000 leads of 400,000 accounts routed by the shipped rules with two pools, capacities and an SLA, into SQLite: seconds, and bytes of an explanation.

Measured from the tables of the rooms before to rows of routing.decisions. A second run (everything is kept) and `explain` are timed, too.
"""

from __future__ import annotations

import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from lead_assets.core.document import read_document
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.routing.fields import routing_schema
from lead_assets.routing.ownership import decide
from lead_assets.routing.table import ROUTING, digested

LEADS, ACCOUNTS, CAMPAIGNS = 1_000_000, 400_000, 100
POOLS = """
teams:
  - {id: us, name: US, members: [diego.santana, tom.becker, grace.whitfield]}
pools:
  - {id: weighted, order: weighted, members: {nina.albrecht: 3, callum.reid: 2, ingrid.solheim: 1}}
  - {id: balanced, order: least_loaded, members: [zofia.nowicka, karim.haddad]}
sla: {hot: 1h, warm: 1d, cold: 5d}
"""


def main() -> None:
    text = rules_file("routing.yaml", Settings(rules_dir=None)).read_text(encoding="utf-8")
    text = text.replace("owner: nina.albrecht", "pool: weighted").replace("owner: zofia.nowicka", "pool: balanced")
    text = text.replace("owner: diego.santana", "team: us").replace(
        "name: Omar Vance", "name: Omar Vance, capacity: {per_day: 5000}, hours: mon-fri 09:00-17:00, timezone: Europe/Berlin"
    )
    document = read_document(text + POOLS, "routing.yaml")
    table, content = ROUTING.parse(document), digested(document.value)
    leads = made()
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{Path(folder) / 'ledger.sqlite'}").open()
        for what in ("first run", "second run"):
            began, cpu = time.perf_counter(), time.process_time()
            decisions = decide(leads, table, ledger, content)
            print(f"{what}: {LEADS:,} leads in {time.perf_counter() - began:.1f} s, {time.process_time() - cpu:.1f} s of CPU")
        assert decisions.height == LEADS
        size = decisions.select(pl.col("reason", "facts", "passed_over", "rule").str.len_bytes()).sum_horizontal().max()
        print(f"largest explanation in a row: {size} bytes; ledger {(Path(folder) / 'ledger.sqlite').stat().st_size / 1e6:.0f} MB")
        print(json.dumps(dict(decisions["authority"].value_counts().iter_rows())))
        ledger.close()


def made() -> pl.DataFrame:
    """A frame of `routing_schema`: places, sizes, tiers and paths in proportion to the demo's."""
    chance = np.random.default_rng(1)
    places = [("US", "CA"), ("US", "NY"), ("US", "TX"), ("DE", None), ("GB", None), ("FR", None), ("PL", None), ("BR", None), (None, None)]
    which = chance.integers(0, len(places), LEADS)
    of = chance.integers(0, ACCOUNTS, LEADS)
    columns = {
        "campaign_id": pl.Series([f"campaign-{n:03}" for n in range(CAMPAIGNS)]).gather(np.arange(LEADS) % CAMPAIGNS),
        "lead_id": pl.Series([f"ld_{n:07}" for n in range(LEADS)]),
        "account_key": pl.Series([f"company-{n}.example" for n in range(ACCOUNTS)]).gather(of),
        "received_at": pl.Series([datetime(2026, 11, 2, tzinfo=UTC) + timedelta(seconds=n) for n in range(1000)]).gather(
            np.arange(LEADS) % 1000
        ),
        "drop_sha256": pl.Series(["a" * 64]).gather(np.zeros(LEADS, dtype=int)),
        "position": pl.Series(np.arange(LEADS)),
        "country_code": pl.Series([country for country, _ in places]).gather(which),
        "state_code": pl.Series([state for _, state in places]).gather(which),
        "country_source": pl.Series(["country", "phone", "city"]).gather(chance.integers(0, 3, LEADS)),
        "company_size": pl.Series(["1-10", "51-200", "1001-5000", "5000+", None]).gather(chance.integers(0, 5, LEADS)),
        "profile": pl.Series(["lending", "b2b", "b2b"]).gather(chance.integers(0, 3, LEADS)),
        "loan_type": pl.Series(["bridge_rtl", "rental", None]).gather(chance.integers(0, 3, LEADS)),
        "tier": pl.Series(["hot", "warm", "cold"]).gather(chance.integers(0, 3, LEADS)),
        "path": pl.Series(["route", "nurture", "manual_review"]).gather(chance.integers(0, 3, LEADS)),
        "score": pl.Series(chance.random(LEADS) * 100).round(2),
    }
    schema = routing_schema()
    frame = pl.DataFrame(columns)
    return frame.select((pl.col(name) if name in columns else pl.lit(None)).cast(dtype).alias(name) for name, dtype in schema.items())


if __name__ == "__main__":
    main()

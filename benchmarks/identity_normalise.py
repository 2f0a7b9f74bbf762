"""Raw leads → leads: rows per second and peak memory of `resolve`, on lending payloads with mostly distinct e-mails and phones.

`python -m benchmarks.identity_normalise [--rows 100000] [--domains 3000] [--json]`. The first run pays for the libraries' tables; the issue's figure
(20,000 leads/s through intake and identity together) leaves this room about 2.3 s for 100,000 rows.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from lead_assets.contracts import RawLead
from lead_assets.identity.resolve import resolve

_RECEIVED = datetime(2026, 11, 20, tzinfo=UTC)
_FIRST = ("Jane", "Marcus", "AISHA", "Wei", "José", "Anna-Lena", "tom", "Lena", "Priya", "Omar")
_SYLLABLES = ("ka", "ro", "mi", "ten", "dal", "ver", "sto", "lin", "bra", "mor", "fel", "gar")
_AREAS = ("415", "212", "512", "305", "206", "602", "416", "604", "713", "617")
_STATES = ("CA", "TX", "Fla.", "New York", "wa", "Ontario", "Ariz.", "GA", "OH", "Illinois", "N.J.", "Somewhere")
_PHONES = ("({a}) {b}-{c}", "{a}-{b}-{c}", "+1 {a} {b} {c}", "{a}.{b}.{c} x12", "{a}{b}{c}")
_TITLES = ("Owner", "VP of Acquisitions", "Managing Director", "Loan Officer", "Real Estate Investor", None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--domains", type=int, default=3_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    raw = raw_leads(options.rows, options.domains)
    before = _peak_mb()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        resolved = resolve(raw)
        seconds.append(time.perf_counter() - start)
    lost = raw.height - resolved.leads.height - resolved.duplicates.height - resolved.suppressed.height
    report = {
        "rows": raw.height,
        "first_seconds": round(seconds[0], 3),
        "best_seconds": round(min(seconds), 3),
        "rows_per_second": round(raw.height / min(seconds)),
        "peak_mb": round(_peak_mb()),
        "peak_mb_before": round(before),
        "leads": resolved.leads.height,
        "duplicates": resolved.duplicates.height,
        "lost": lost,
    }
    if options.json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    sys.stdout.write(
        f"identity: {report['rows']:,} raw leads in {report['first_seconds']} s (first), {report['best_seconds']} s (best of 3) = "
        f"{report['rows_per_second']:,}/s; peak memory {report['peak_mb']} MB ({report['peak_mb_before']} MB before)\n"
    )


def raw_leads(rows: int, domains: int) -> pl.DataFrame:
    """Synthetic raw leads, the same every time; one in fifty is a second payload of an earlier lead."""
    return RawLead.frame(_rows(rows, domains))


def _rows(rows: int, domains: int) -> Iterator[dict[str, Any]]:
    random_ = random.Random(7)
    for position in range(1, rows + 1):
        first = random_.choice(_FIRST)
        last = "".join(random_.choices(_SYLLABLES, k=3)).capitalize()
        number = position if position % 50 else position - 7
        host = "gmail.com" if number % 3 == 0 else f"firm{number % domains}.example"
        phone = random_.choice(_PHONES).format(a=random_.choice(_AREAS), b=random_.randint(200, 999), c=f"{random_.randint(0, 9999):04d}")
        yield {
            "campaign_id": "lending-q4-2026",
            "lead_id": f"LD-{number:07d}",
            "adapter": "lending_form",
            "drop_sha256": "a" * 64,
            "drop_name": "drop.ndjson",
            "position": position,
            "part": 1,
            "received_at": _RECEIVED,
            "submitted_at": _RECEIVED - timedelta(minutes=position % 5000),
            "email": f"Lead.{last}{number}@{host}",
            "phone": phone,
            "first_name": first,
            "last_name": last,
            "company": f"{last} Holdings LLC" if position % 4 == 0 else None,
            "title": random_.choice(_TITLES),
            "property_address": f"{number} Oak Street",
            "state": random_.choice(_STATES),
            "notes": "Need a bridge loan for a duplex, closing in three weeks. " * 3,
            "loan_amount_requested": 250_000.0,
            "source": "form",
            "payload": json.dumps(
                {"lead_id": number, "notes": "Need a bridge loan for a duplex, closing in three weeks. " * 3, "form": "x" * 250}
            ),
        }


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / (1 << 10)


if __name__ == "__main__":
    main()

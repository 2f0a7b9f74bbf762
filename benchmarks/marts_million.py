"""All marts, and the analyst's twenty questions, over 1,000,000 leads in DuckDB.

    python -m benchmarks marts_million    (or: python -m benchmarks.marts_million [--leads 1000000] [--campaigns 100] [--keep FOLDER] [--json])

Made-up rows in every table that marts read, one file per table and campaign as runs write them, and five calls per lead in the journal. Each mart's
SELECT is run over all campaigns and its rows are fetched, as its asset does; writing them is not measured, and its files stay for the questions. Goals: all
marts together at most 10 s, each question at most 1 s.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.contracts import TABLES, WHOLE_HOME, SignalRow, Table
from lead_assets.marts.mart import mart
from lead_assets.marts.metrics import analyst_questions
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets.stores.warehouse.questions import ask

GOAL_MARTS_S, GOAL_QUESTION_S = 10.0, 1.0
_PER_LEAD = ("scoring.outcomes", "identity.person_leads")
"""Home-wide tables with a row per lead."""
_AT = datetime(2026, 11, 1, tzinfo=UTC)


def values(name: str, dtype: pl.DataType, row: pl.Expr) -> pl.Expr:
    """A plausible value of a column that no rule below names."""
    if isinstance(dtype, pl.List):
        return pl.concat_list(pl.lit("company_overview"), pl.lit("email")).cast(dtype)
    if isinstance(dtype, pl.Datetime):
        return (pl.lit(_AT) + pl.duration(minutes=row % 40_000)).cast(dtype)
    if isinstance(dtype, pl.Date):
        return pl.lit((_AT + timedelta(days=1)).date())
    if isinstance(dtype, pl.Boolean):
        return row % 10 == 0
    if isinstance(dtype, pl.Float64):
        return (row % 100).cast(pl.Float64)
    if isinstance(dtype, pl.Int64):
        return (row % 5 + 1).cast(pl.Int64)
    if isinstance(dtype, pl.Decimal):
        return pl.lit("0.01").cast(dtype)
    return pl.format("{}-{}", pl.lit(name), row % 50)


def pick(row: pl.Expr, *words: str | None) -> pl.Expr:
    """One of the words, by the row."""
    return pl.lit(pl.Series(words)).gather((row * 2_654_435_761 % 1_000_003 % len(words)).cast(pl.UInt32))


def rows(contract: type[Table], campaign: str, lead: pl.DataFrame) -> pl.DataFrame:
    """A row of the contract for each lead of a campaign."""
    row = pl.col("row")
    named: dict[str, pl.Expr] = {
        "campaign_id": pl.lit(campaign),
        "lead_id": pl.format("ld_{}", row),
        "account_key": pl.format("company{}.example", row // 3),
        "email_normalized": pl.format("p{}@company{}.example", row % 700_000, row // 3),
        "position": row,
        "tier": pick(row, "hot", "warm", "cold", "cold"),
        "state": pick(row, "found", "found", "not_found", "unknown"),
        "reason": pick(row, None, None, "no_result", "not_worth_it"),
        "provider": pick(row, "pipe0", "apollo", "hunter", "given"),
        "owner": pl.format("owner{}", row % 40),
        "territory": pl.format("territory{}", row % 12),
        "outcome": pick(row, "won", "lost", "lost", "open"),
        "profile": pick(row, "b2b", "lending"),
        "model": pick(row, "claude-haiku-5-5", "rules-v1"),
        "payload": pl.lit("{}"),
        "email_kind": pick(row, "business", "free"),
        "seniority": pick(row, "vp", "director", "manager", None),
        "enrichment_quality": (row % 100) / 100,
        "route_score": (row % 100) / 100,
    }
    schema = contract.polars_schema()
    return lead.select(
        (named[name] if name in named else values(name, dtype, row)).cast(dtype).alias(name) for name, dtype in schema.items()
    )


def calls(contract: type[Table], count: int) -> pl.DataFrame:
    """The journal: five calls per lead, over thirty days."""
    row = pl.col("row")
    signals = [name.split(".")[1] for name, each in TABLES.items() if issubclass(each, SignalRow)]
    named: dict[str, pl.Expr] = {
        "call_id": row,
        "question": row - row % 5 % 2,
        "attempt": row % 5 % 2 + 1,
        "about": row,
        "day": (pl.lit(_AT) + pl.duration(days=row % 30)).dt.date(),
        "campaign_id": pl.format("c{}", row % 100),
        "signal": pick(row, *signals),
        "provider": pick(row, "pipe0", "apollo", "hunter"),
        "operation": pl.format("op{}", row % 12),
        "place": row % 3 + 1,
        "state": pick(row, "found", "found", "not_found", "unknown"),
        "reason": pl.lit(""),
        "latency_ms": row * 7_919 % 2_000,
        "uncertain": row % 500 == 0,
    }
    schema = contract.polars_schema()
    journal = pl.DataFrame({"row": range(1, count + 1)})
    return journal.select(
        (named[name] if name in named else values(name, dtype, row)).cast(dtype).alias(name) for name, dtype in schema.items()
    )


def fill(warehouse: DuckDBWarehouse, leads: int, campaigns: int) -> None:
    """Every table that a mart reads and that is no mart; one lead in ten of rejects, duplicates and quarantines."""
    read = {each for contract in TABLES.values() if contract.schema_name() == "marts" for each in mart(contract).reads}
    size = leads // campaigns
    for contract in sorted((each for each in read if each.schema_name() != "marts"), key=lambda each: each.table):
        share = 10 if contract.table_name() in ("rejected_payloads", "duplicates", "quarantine", "suppressed", "summary_quarantine") else 1
        if contract.table == "ledger.calls":
            write(warehouse, contract, WHOLE_HOME, calls(contract, 5 * leads))
        elif contract.grain == "home":
            numbers = pl.DataFrame({"row": range(leads // (1 if contract.table in _PER_LEAD else 100))})
            frame = rows(contract, "c0", numbers)
            if "outcome_id" in frame.columns:
                frame = frame.with_columns(
                    campaign_id=pl.format("c{}", pl.Series(range(frame.height)) // size), outcome_id=pl.col("lead_id")
                )
            write(warehouse, contract, WHOLE_HOME, frame)
        else:
            for number in range(campaigns):
                lead = pl.DataFrame({"row": range(number * size, number * size + size // share)})
                write(warehouse, contract, f"c{number}", rows(contract, f"c{number}", lead))


def write(warehouse: DuckDBWarehouse, contract: type[Table], key: str, frame: pl.DataFrame) -> None:
    # As `write` stores it, without checking a million made-up rows.
    warehouse._replace(warehouse._partition(contract, key), frame)


def in_order() -> list[type[Table]]:
    """The marts, those first that others read."""
    waiting = [contract for contract in TABLES.values() if contract.schema_name() == "marts"]
    ordered: list[type[Table]] = []
    while waiting:
        ready = [each for each in waiting if not set(mart(each).reads) & set(waiting)]
        ordered += ready
        waiting = [each for each in waiting if each not in ready]
    return ordered


def measure(warehouse: DuckDBWarehouse) -> dict[str, Any]:
    marts: dict[str, float] = {}
    for contract in in_order():
        declared = mart(contract)
        begun = time.perf_counter()
        frame = warehouse.query(declared.sql, declared.reads)
        marts[contract.table] = time.perf_counter() - begun
        frame = frame.select(pl.col(name).cast(dtype) for name, dtype in contract.polars_schema().items())
        if contract.grain == "home":
            write(warehouse, contract, WHOLE_HOME, frame)
        else:
            for (key,), each in frame.partition_by("campaign_id", as_dict=True).items():
                write(warehouse, contract, str(key), each)
    questions: dict[str, float] = {}
    for question in analyst_questions():
        begun = time.perf_counter()
        ask(warehouse, question.sql)
        questions[question.name] = time.perf_counter() - begun
    return {"marts_s": marts, "all_marts_s": sum(marts.values()), "questions_s": questions, "slowest_question_s": max(questions.values())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--campaigns", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="Folder for the rows; if it has them already, they are measured again.")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        warehouse = DuckDBWarehouse(given.keep or Path(temporary))
        if not warehouse.partitions(TABLES["ledger.calls"]):
            warehouse.prepare()
            fill(warehouse, given.leads, given.campaigns)
        found = {"leads": given.leads, "campaigns": given.campaigns, **measure(warehouse)}
    if given.json:
        print(json.dumps(found))
    else:
        for name, seconds in [*found["marts_s"].items(), *found["questions_s"].items()]:
            print(f"{name:<42}{seconds:7.2f} s")
        print(f"all marts {found['all_marts_s']:.1f} s (goal {GOAL_MARTS_S:.0f})")
        print(f"slowest question {found['slowest_question_s']:.2f} s (goal {GOAL_QUESTION_S:.0f})")
    return 0 if found["all_marts_s"] <= GOAL_MARTS_S and found["slowest_question_s"] <= GOAL_QUESTION_S else 1


if __name__ == "__main__":
    sys.exit(main())

"""What each campaign would cost now, as a table that is made on request: select campaigns of spending/estimates in the UI, or launch the job `estimate`.

It calls nobody. The campaigns' runs leave it out: a table that is different after every run would be written, and shown as out of date, for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from lead_assets.contracts import ExpectedPurchase
from lead_assets.kit import pictures
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import tables


def expected_cost(rows: pl.DataFrame, _step: Step) -> str | None:
    cost = rows.group_by("signal", maintain_order=True).agg(pl.col("cost_usd").cast(pl.Float64).sum()).sort("cost_usd", descending=True)
    return pictures.bars("Expected cost", dict(cost.iter_rows()), unit="$") if rows.height else None


@tables(
    ExpectedPurchase,
    logic=["lead_assets.estimating"],
    # Whoever requests it wants to know what a run would cost now.
    always=True,
    pictures={ExpectedPurchase: expected_cost},
)
def estimates(step: Step) -> Made:
    from lead_assets.estimating.estimate import estimate_from

    known = set(step.archive.campaigns())
    wanted = [campaign for campaign in step.partitions if campaign in known]
    each = {campaign: estimate_from(step.ledger, step.settings, [campaign]) for campaign in wanted}
    frame = pl.concat([ExpectedPurchase.empty(), *(_rows(campaign, found) for campaign, found in each.items())])
    # What one campaign buys, the next one finds in the ledger, so all together may cost less than the sum.
    together = estimate_from(step.ledger, step.settings, wanted) if len(wanted) > 1 else None
    return Made(frame, {campaign: _figures(found) for campaign, found in each.items()}, {} if together is None else _together(together))


def _rows(campaign: str, found: Mapping[str, Any]) -> pl.DataFrame:
    schema = ExpectedPurchase.polars_schema()
    rows = [{"campaign_id": campaign, "cost_usd": row["usd"], **{name: row[name] for name in _SAME}} for row in found["rows"]]
    return pl.DataFrame(rows, schema=schema, orient="row") if rows else ExpectedPurchase.empty()


_SAME = ("provider", "operation", "signal", "subjects", "calls")


def _figures(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "expected_usd": found["usd"],
        "expected_calls": found["calls"],
        "not_worth_it": {signal: each["leads"] for signal, each in found["not_worth_it"].items()} or None,
        "without_key": ", ".join(found["without_key"]) or None,
        "over_budget": ", ".join(f"{row['scope']} {row['name']}".strip() for row in found["over_budget"]) or None,
    }


def _together(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"expected_usd_together": found["usd"], "expected_calls_together": found["calls"]}

"""What marts show as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from lead_assets.kit import pictures
from lead_assets.kit.step import Step

Drawn = Callable[[pl.DataFrame, Step], str | None]
_FUNNEL = ("received", "leads", "enriched", "classified", "scored", "routed", "hot")


def funnel(rows: pl.DataFrame, _step: Step) -> str | None:
    if rows.is_empty():
        return None
    row = rows.row(0, named=True)
    return pictures.bars("From payload to owner", {name: row[name] for name in _FUNNEL}, colours={"hot": pictures.RED})


def spend(rows: pl.DataFrame, step: Step) -> str | None:
    days = dict(
        rows.sort("day").select(pl.col("day").cast(pl.String), pl.col("day_usd").cast(pl.Float64)).unique("day").sort("day").iter_rows()
    )
    if not days:
        return None
    limits = [budget.limit_micros / 1e6 for budget in step.ledger.budgets() if (budget.scope, budget.period) == ("total", "day")]
    return pictures.columns("Cost by day", days, unit="$", limit=limits[0] if limits else None)


def found(rows: pl.DataFrame, _step: Step) -> str | None:
    asked = rows.drop_nulls("hit_rate").sort("asked", "provider", "signal", descending=[True, False, False])
    shares = {f"{provider}: {signal}": 100 * rate for provider, signal, rate in asked.select("provider", "signal", "hit_rate").iter_rows()}
    return pictures.bars("Hit rate, %", shares) if shares else None


def hottest(rows: pl.DataFrame, step: Step) -> str | None:
    """The story of the campaign's best lead, in words."""
    best = rows.drop_nulls("score").sort("score", "lead_id", descending=[True, False]).head(1)
    if best.is_empty():
        return None
    row = best.row(0, named=True)
    return f"{story(row)}\n\nThe campaign's best lead; of any other: `lead-assets explain {row['lead_id']}`"


def story(row: Mapping[str, Any]) -> str:
    """A row of marts.lead_360 in words, as Markdown, without personal data."""
    fit = f", ICP fit {row['icp_fit']}" if row["icp_fit"] else f", loan {row['loan_type']}" if row["loan_type"] else ""
    judged = f"**Classified** by {row['model']} as {row['profile']}{fit}" if row["profile"] else "**Not classified**"
    return "\n\n".join(
        [
            f"**Arrived** as {row['adapter']}, {row['payloads']} payload{'' if row['payloads'] == 1 else 's'}; account {row['account_key']}",
            f"**Enriched**: {row['signals_found']} signals found, {row['signals_missed']} not; ${row['cost_usd']:.4f} for all",
            f"**Quarantined**: {row['quarantine_code']}" if row["quarantine_code"] else judged,
            f"**Scored** {row['score']:.0f} of 100, {row['tier']}: {row['path']}" if row["score"] is not None else "**Not scored**",
            f"**Routed** to {row['owner']}: {row['routing_reason']}" if row["owner"] else "**Not routed**",
            f"**Event** {row['event_id']}" if row["event_id"] else "**No event**",
            f"**Sent**: {row['messages_confirmed']} of {row['messages']} messages confirmed, {row['messages_dead']} given up",
        ]
    )


PICTURES: Mapping[str, Drawn] = {
    "marts.campaign_funnel": funnel,
    "marts.spend_by_day": spend,
    "marts.provider_yield": found,
    "marts.lead_360": hottest,
}
"""By table."""

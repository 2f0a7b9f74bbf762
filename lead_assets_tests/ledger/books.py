"""The ledger's books, recomputed from the journal and the open claims."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa

from lead_assets.ledger import Ledger
from lead_assets.ledger.schema import calls, claims, spend, usage


def assert_books_agree(ledger: Ledger) -> None:
    """Journal, summed-up spending, usage and open claims tell one story, in every budget's line and for every day."""
    lines: Counter[tuple[str, str, str, str]] = Counter()
    sums: Counter[tuple[str, ...]] = Counter()

    def stand(column: str, provider: str, campaign: str, day: str, micros: int) -> None:
        for period in ("all", day):
            for scope, name in (("total", ""), ("campaign", campaign), ("provider", provider)):
                lines[scope, name, period, column] += micros

    def read(tx: Any) -> None:
        for call in tx.connection.execute(sa.select(calls)):
            stand("uncertain" if call.uncertain else "spent", call.provider, call.campaign_id, call.day, call.cost_micros)
            key = (call.day, call.campaign_id, call.provider, call.operation, call.state, call.reason or "")
            if call.uncertain:
                sums.update({(*key, "uncertain_calls"): 1, (*key, "uncertain_micros"): call.cost_micros})
            else:
                sums.update(
                    {(*key, "calls"): 1, (*key, "billed_calls"): int(call.cost_micros > 0), (*key, "cost_micros"): call.cost_micros}
                )
            sums.update({(*key, "input_tokens"): call.input_tokens, (*key, "output_tokens"): call.output_tokens})
        for claim in tx.connection.execute(sa.select(claims)):
            stand("reserved", claim.provider, claim.campaign_id, claim.day, claim.price_micros)

        stands = {
            (row.scope, row.name, row.period, column): getattr(row, f"{column}_micros")
            for row in tx.connection.execute(sa.select(usage))
            for column in ("reserved", "spent", "uncertain")
        }
        assert _told(stands) == _told(lines)
        keys = [column.name for column in spend.primary_key]
        booked = {
            (*(getattr(row, key) for key in keys), column.name): getattr(row, column.name)
            for row in tx.connection.execute(sa.select(spend))
            for column in spend.columns
            if column.name not in keys
        }
        assert _told(booked) == _told(sums)

    ledger._db.read(read)


def _told(figures: dict[Any, int]) -> dict[Any, int]:
    return {key: value for key, value in figures.items() if value}

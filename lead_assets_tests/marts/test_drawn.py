"""What the marts of the whole home show as a picture."""

from __future__ import annotations

import base64
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import polars as pl

from lead_assets.ledger.money import Budget
from lead_assets.marts import drawn


def svg(markdown: str | None) -> str:
    assert markdown is not None
    return base64.b64decode(markdown.partition("base64,")[2].rstrip(")")).decode()


def step(*budgets: Budget) -> Any:
    return cast(Any, SimpleNamespace(ledger=SimpleNamespace(budgets=lambda: list(budgets))))


def test_cost_by_day_against_the_budget_of_a_day() -> None:
    days = pl.Series(["2026-11-02", "2026-11-01", "2026-11-02"]).str.to_date()
    rows = pl.DataFrame({"day": days, "day_usd": [Decimal("7.5"), Decimal(3), Decimal("7.5")]})
    limits = Budget("total", "", "day", 5_000_000, 0, 0, 0), Budget("campaign", "c", "day", 1, 0, 0, 0)
    said = svg(drawn.spend(rows, step(*limits)))
    assert said.count("2026-11-02<") == 1
    assert said.index("2026-11-01<") < said.index("2026-11-02<")
    assert "limit $5" in said
    assert "limit" not in svg(drawn.spend(rows, step()))
    assert drawn.spend(rows.clear(), step()) is None


def test_hit_rates_of_those_who_were_asked_most_come_first() -> None:
    rows = pl.DataFrame(
        {
            "provider": ["hunter", "apollo", "pipe0"],
            "signal": ["email", "person", "news"],
            "asked": [10, 90, 5],
            "hit_rate": [0.5, 0.25, None],
        }
    )
    said = svg(drawn.found(rows, step()))
    assert said.index("apollo: person") < said.index("hunter: email")
    assert ">25<" in said
    assert "pipe0" not in said

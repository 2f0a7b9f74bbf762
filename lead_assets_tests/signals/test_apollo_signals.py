"""The signals that Apollo sells, bought from the sandbox and read."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import polars as pl

from lead_assets.contracts import Organization, PersonProfile
from lead_assets.signals.engine import collect_all
from lead_assets.signals.merge import enrich
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import frame, lead

LEADS = frame(
    [lead(number, f"company{number}.example", linkedin_url=f"https://www.linkedin.com/in/ada-moreau-{number}") for number in range(25)]
)


def test_organizations_and_people_are_bought_ten_a_request_and_once(room: Room) -> None:
    signals = [room.signal("organization"), room.signal("person")]
    collected = collect_all(signals, LEADS, ledger=room.ledger, settings=room.settings)
    for signal, contract in zip(signals, (Organization, PersonProfile), strict=True):
        table = collected[signal.name].frame
        assert table.schema == contract.polars_schema()
        assert table["state"].value_counts().filter(pl.col("state") == "found")["count"].item() > 5
        assert table.filter(pl.col("state") == "unknown").is_empty()
        assert table["cost_usd"].sum() == Decimal(str(room.sandbox.meter()["apollo"][signal.sources[0].operation]["usd"]))
    assert len(room.sandbox.requests("apollo")) == 6
    again = collect_all(signals, LEADS, ledger=room.ledger, settings=room.settings)
    assert len(room.sandbox.requests("apollo")) == 6
    assert again["person"].frame.equals(collected["person"].frame)


def test_where_providers_disagree_the_first_in_precedence_wins_in_any_order(room: Room) -> None:
    signals = [room.signal("organization"), room.signal("company_overview")]
    collected = collect_all(signals, LEADS, ledger=room.ledger, settings=room.settings)
    frames = {name: one.frame for name, one in collected.items()}
    merged = enrich(LEADS, frames)
    assert enrich(LEADS, dict(reversed(frames.items()))).equals(merged)
    said = {row["lead_id"]: json.loads(row["provenance"]).get("company_industry", {}).get("provider") for row in merged.to_dicts()}
    for lead_id, state in frames["company_overview"].select("lead_id", "state").iter_rows():
        apollo_has = frames["organization"].filter(pl.col("lead_id") == lead_id)["company_industry"].item() is not None
        assert said[lead_id] == ("pipe0" if state == "found" else "apollo" if apollo_has else None)
    assert set(said.values()) >= {"pipe0", "apollo"}


def test_a_waterfall_says_who_answered_and_pays_each_who_charged(room: Room) -> None:
    overview, apollo = room.signal("company_overview").sources[0], room.signal("organization").sources[0]
    first = replace(overview, parser=lambda body: {"company_industry": "by pipe0"})
    second = replace(apollo, parser=lambda body: {"company_industry": "by apollo"})
    signal = room.signal("company_overview", sources=(first, second))
    room.sandbox.set_fault("pipe0", "no_result", match="company0.example")
    table = room.collect(frame([lead(0, "company0.example"), lead(1, "company2.example")]), signal).frame
    assert table["provider"].to_list() == ["apollo", "pipe0"]
    assert table["company_industry"].to_list() == ["by apollo", "by pipe0"]
    assert table["cost_usd"].to_list() == [Decimal("0.05"), Decimal("0.03")]
    assert room.sandbox.billed("apollo") == 1

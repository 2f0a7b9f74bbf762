"""The signals that pipe0 sells, bought from the sandbox and read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import EnrichedLead
from lead_assets.core.values import usd
from lead_assets.signals.engine import collect_all
from lead_assets.signals.merge import enrich
from lead_assets.signals.signal import load_signals
from lead_assets.vendors.pipe0.parsers import PARSERS
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import frame, lead

LEADS = frame(
    [lead(number, f"company{number}.example", linkedin_url=f"https://www.linkedin.com/in/person-{number}") for number in range(25)]
)
OF_PIPE0 = ["company_overview", "tech_stack", "funding", "news", "linkedin_posts"]


def body(**values: Any) -> dict[str, Any]:
    return {"fields": {name: {"status": "completed", "value": value} for name, value in values.items()}}


def test_every_signal_finds_something_and_costs_what_the_vendor_bills(room: Room) -> None:
    signals = [load_signals(room.settings)[name] for name in OF_PIPE0]
    collected = collect_all(signals, LEADS, ledger=room.ledger, settings=room.settings)
    billed = room.sandbox.meter()["pipe0"]
    for signal in signals:
        table, stats = collected[signal.name].frame, collected[signal.name].stats
        assert table.schema == signal.contract.polars_schema()
        assert table["lead_id"].to_list() == LEADS["lead_id"].to_list()
        assert stats.found > 5, signal.name
        assert table.filter(pl.col("state") == "unknown").is_empty(), signal.name
        usd_billed = Decimal(str(billed[signal.sources[0].operation]["usd"])).quantize(Decimal("0.000001"))
        assert table["cost_usd"].sum() == usd_billed, signal.name
    assert all(count == 1 for operation in room.sandbox.subjects("pipe0").values() for count in operation.values())
    again = collect_all(signals, LEADS, ledger=room.ledger, settings=room.settings)
    assert room.sandbox.meter()["pipe0"] == billed
    merged = enrich(LEADS, {name: one.frame for name, one in again.items()})
    assert merged.schema == EnrichedLead.polars_schema()
    assert merged["signals_cost_usd"].sum() == sum(Decimal(str(entry["usd"])) for entry in billed.values())
    for column in ("technologies", "latest_round", "news_summary", "post_texts"):
        filled = merged.filter(pl.col(column).is_not_null())
        assert filled.height > 5
        assert all(json.loads(row)[column]["provider"] == "pipe0" for row in filled["provenance"])


def test_the_latest_round_is_the_latest_in_any_order() -> None:
    rounds = [
        {"round": "Seed", "date": "2019-05-01", "amount": "$2.5M", "investors": [{"name": "Alder Ventures"}]},
        {"round": "Series B", "date": "2024-02-29", "amount": "$40,000,000", "investors": [{"name": "Birch"}, {"name": "Alder Ventures"}]},
        {"round": "Series A", "date": "2021-11-30", "amount": None, "investors": None},
        {"round": "Grant", "date": None, "amount": "€1M", "investors": [None, {}]},
    ]
    for listed in (rounds, rounds[::-1]):
        values = PARSERS["pipe0_funding"](body(funding_history=listed, funding_total_usd=52_500_000))
        assert values is not None
        values.pop("funding_history")
        assert values == {
            "funding_total_usd": 52_500_000.0,
            "funding_rounds": 4,
            "latest_round": "Series B",
            "latest_round_on": date(2024, 2, 29),
            "latest_round_usd": 40_000_000.0,
            "investors": ["Alder Ventures", "Birch"],
        }


def test_pipes_for_the_same_companies_go_in_one_request(room: Room) -> None:
    signals = [load_signals(room.settings)[name] for name in OF_PIPE0]
    collect_all(signals, LEADS, ledger=room.ledger, settings=room.settings)
    asked = sorted(room.begun())
    of_companies = sorted(signal.sources[0].operation for signal in signals if signal.subject == "company_domain")
    assert asked == [of_companies, ["people:posts:crustdata@1"]]


def test_a_pipe_that_pipe0_no_longer_knows_does_not_fail_the_others(room: Room) -> None:
    signals = [load_signals(room.settings)[name] for name in ("company_overview", "tech_stack")]
    renamed = replace(signals[1], sources=(replace(signals[1].sources[0], operation="company:techstack@9"),))
    collected = collect_all([signals[0], renamed], LEADS.head(4), ledger=room.ledger, settings=room.settings)
    assert collected["company_overview"].frame.filter(pl.col("state") == "unknown").is_empty()
    assert collected["tech_stack"].frame["reason"].to_list() == ["provider_error"] * 4
    assert room.sandbox.billed("pipe0") == 4


def test_a_joint_run_that_outlasts_its_request_is_billed_once(room: Room) -> None:
    signals = [load_signals(room.settings)[name] for name in ("company_overview", "tech_stack", "news")]
    room.sandbox.set_fault("pipe0", "sync_timeout", latency_ms=200, times=1)
    collected = collect_all(signals, LEADS.head(5), ledger=room.ledger, settings=room.settings)
    assert all(one.frame.filter(pl.col("state") == "unknown").is_empty() for one in collected.values())
    assert {count for operation in room.sandbox.subjects("pipe0").values() for count in operation.values()} == {1}


@pytest.mark.parametrize(
    ("printed", "dollars"),
    [
        ("$250,000,000", 250e6),
        ("$2.5M", 2.5e6),
        ("US$ 3k", 3000.0),
        ("USD 1,000", 1000.0),
        ("1.2B USD", 1.2e9),
        (750_000, 750_000.0),
        ("€10M", None),
        ("£5,000", None),
        ("undisclosed", None),
        (None, None),
    ],
)
def test_only_dollars_are_dollars(printed: Any, dollars: float | None) -> None:
    assert usd(printed) == (pytest.approx(dollars) if dollars is not None else None)


def test_technologies_are_read_from_list_match_or_tags() -> None:
    parse = PARSERS["pipe0_tech_stack"]
    assert (parse(body(technology_list=["React", "Django", "React"])) or {})["technologies"] == ["Django", "React"]
    match = {"technologies_by_tag": {"framework": ["Rails"], "junk": None}, "spending_trend": 0.23}
    values = parse(body(technology_match_builtwith=match)) or {}
    assert values == {"technologies": ["Rails"], "technologies_by_tag": '{"framework":["Rails"]}', "spending_trend": 0.23}
    assert parse(body(technology_list=[])) is None


def test_posts_are_newest_first_and_bare_reposts_are_left_out() -> None:
    posts = [
        {"text": "older", "date_posted": "2026-01-01", "total_reactions": 3, "share_urn": "a"},
        {"text": "shared", "date_posted": "2026-05-01", "total_reactions": 90, "is_repost_without_thoughts": True},
        {"text": "newer", "date_posted": "2026-03-01", "total_reactions": 4, "share_urn": "b"},
        {"text": " ", "date_posted": "2026-04-01"},
        "junk",
    ]
    values = PARSERS["pipe0_linkedin_posts"](body(crustdata_post_list=posts)) or {}
    assert (values["post_texts"], values["post_count"], values["total_reactions"]) == (["newer", "older"], 2, 7)
    assert values["latest_post_on"] == date(2026, 3, 1)
    assert PARSERS["pipe0_linkedin_posts"](body(crustdata_post_list=posts[1:2])) is None

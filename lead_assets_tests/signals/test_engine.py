"""Collecting a signal: bought once, nothing lost, every miss with its reason."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, ClassVar

import polars as pl
import pytest
from pydantic import SecretStr

from lead_assets.contracts import TABLES, Column, CompanyOverview, SignalRow
from lead_assets.core.settings import Settings
from lead_assets.core.values import text
from lead_assets.ledger.buying import purchase
from lead_assets.ledger.ledger import Ledger, WorldError
from lead_assets.ledger.model import Lifetimes, Reply, Want
from lead_assets.ledger.purchase import Retry
from lead_assets.signals.engine import collect
from lead_assets.signals.signal import load_signals
from lead_assets.signals.sources import open_source
from lead_assets.vendors import all_parsers
from lead_assets.vendors.pipe0.parsers import pipe0_value
from lead_assets.vendors.pipe0.runs import Runs
from lead_assets.vendors.turns import Turns
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import at_companies, frame, lead

OVERVIEW = "company:overview@2"
COMPANIES = [f"company{number}.example" for number in range(30)]


def states(table: pl.DataFrame) -> dict[tuple[str, str | None], int]:
    counted = table.group_by("state", "reason").len()
    return {(state, reason): number for state, reason, number in counted.iter_rows()}


def test_fifty_leads_of_one_company_cost_one_call(room: Room) -> None:
    collected = room.collect(at_companies(["moreau.example"] * 50))
    assert room.sandbox.subjects("pipe0")[OVERVIEW] == {"moreau.example": 1}
    table = collected.frame
    assert table.schema == CompanyOverview.polars_schema()
    assert table["lead_id"].to_list() == [f"L{number}" for number in range(50)]
    assert table["cost_usd"].to_list() == [Decimal("0.030000")] + [Decimal(0)] * 49
    values = table.drop("lead_id", "cost_usd").unique()
    assert values.height == 1
    row = values.row(0, named=True)
    assert (row["state"], row["provider"], row["stale"], row["synthetic"]) == ("found", "pipe0", False, True)
    assert row["company_industry"]
    assert row["headcount_min"] is not None


def test_a_second_run_buys_nothing_and_gives_the_same_rows(room: Room) -> None:
    leads = at_companies([*COMPANIES, None])
    first = room.collect(leads)
    metered = room.sandbox.meter()
    second = room.collect(leads)
    assert room.sandbox.meter() == metered
    assert second.frame.equals(first.frame)
    assert (first.stats.total.bought, second.stats.total.bought) == (len(COMPANIES), 0)
    assert (second.stats.total.hits, second.stats.total.cost_micros) == (len(COMPANIES), 0)


def test_the_rows_do_not_depend_on_the_order_of_the_leads(room: Room) -> None:
    leads = at_companies(COMPANIES * 2)
    forward = room.collect(leads).frame
    backward = room.collect(leads.reverse()).frame
    assert backward.reverse().equals(forward)


def test_what_the_provider_does_not_know_is_a_no_that_is_paid_and_kept(room: Room) -> None:
    room.sandbox.set_fault("pipe0", "no_result", match="moreau.example")
    room.collect(at_companies(["moreau.example"]))
    room.sandbox.clear_faults()
    again = room.collect(at_companies(["moreau.example"]), room.impatient())
    row = again.frame.row(0, named=True)
    assert (row["state"], row["reason"], row["provider"], row["cost_usd"]) == ("not_found", "no_result", "pipe0", Decimal("0.03"))
    assert row["company_description"] is None
    assert room.sandbox.billed("pipe0") == 1


@pytest.mark.parametrize(("fault", "reason"), [("failed", "provider_error"), ("skipped", "skipped")])
def test_what_went_wrong_for_one_company_is_no_no(room: Room, fault: str, reason: str) -> None:
    room.sandbox.set_fault("pipe0", fault, match="company1.example")
    before = room.collect(at_companies(["company0.example", "company1.example"]), room.impatient())
    assert before.frame["reason"].to_list() == [None, reason]
    assert before.frame["cost_usd"].to_list() == [Decimal("0.03"), Decimal(0)]
    room.sandbox.clear_faults()
    after = room.collect(at_companies(["company0.example", "company1.example"]), room.impatient())
    assert after.frame["state"].to_list() == ["found", "found"]
    assert after.stats.total.bought == 1


def test_a_run_that_outlasts_its_request_is_fetched_and_never_submitted_again(room: Room) -> None:
    room.sandbox.set_fault("pipe0", "sync_timeout", latency_ms=300, times=1)
    collected = room.collect(at_companies(COMPANIES))
    assert collected.stats.missed.total() < len(COMPANIES) / 2
    paths = [request["path"].rsplit("/", 1)[0] for request in room.sandbox.requests("pipe0")]
    assert paths[0] == "/pipe0/v1/pipes"
    assert set(paths[1:]) == {"/pipe0/v1/pipes/check"}
    assert set(room.sandbox.subjects("pipe0")[OVERVIEW].values()) == {1}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "status", "status": 400}, "provider_error"),
        ({"kind": "status", "status": 401, "body": "Invalid API key."}, "auth"),
        ({"kind": "status", "status": 402}, "quota"),
        ({"kind": "status", "status": 403}, "auth"),
        ({"kind": "status", "status": 404}, "provider_error"),
        ({"kind": "status", "status": 422}, "provider_error"),
        ({"kind": "task_failed"}, "quota"),
        ({"kind": "html"}, "bad_answer"),
        ({"kind": "truncated_json"}, "bad_answer"),
        ({"kind": "huge_body"}, "bad_answer"),
        ({"kind": "status", "status": 200, "body": {"id": "r", "status": "completed", "records": {}}}, "bad_answer"),
    ],
)
def test_no_lead_is_lost_and_each_miss_has_its_reason(room: Room, fault: dict[str, Any], reason: str) -> None:
    leads = at_companies([*COMPANIES[:5], None])
    room.sandbox.set_fault("pipe0", **fault)
    collected = room.collect(leads, room.impatient())
    assert states(collected.frame) == {("unknown", reason): 5, ("unknown", "no_subject"): 1}
    assert collected.frame["lead_id"].to_list() == leads["lead_id"].to_list()
    assert collected.stats.missed == {reason: 5, "no_subject": 1}
    room.sandbox.clear_faults()
    recovered = room.collect(leads, room.impatient())
    assert recovered.frame.filter(pl.col("state") == "unknown")["reason"].to_list() == ["no_subject"]


def test_a_refused_key_stops_the_asking(room: Room) -> None:
    room.sandbox.set_fault("pipe0", "status", status=401)
    room.collect(at_companies([f"c{number}.example" for number in range(1500)]))
    assert len(room.sandbox.requests("pipe0")) <= room.signal().sources[0].terms.concurrency


def test_one_company_that_the_provider_refuses_does_not_cost_the_others_their_answer(room: Room) -> None:
    room.sandbox.set_fault("pipe0", "status", status=400, match="company3.example")
    table = room.collect(at_companies(COMPANIES[:8])).frame
    assert table.filter(pl.col("state") == "unknown")["subject"].to_list() == ["company3.example"]


def test_a_campaign_pays_for_what_it_was_first_to_want_and_no_other_does(room: Room) -> None:
    spring = at_companies(["moreau.example", "okoye.example"], campaign_id="spring")
    autumn = at_companies(["moreau.example", "lindqvist.example"], campaign_id="autumn")
    room.collect(spring)
    both = room.collect(pl.concat([autumn, spring])).frame
    costs = dict(zip(both.select(pl.format("{}/{}", "campaign_id", "subject")).to_series(), both["cost_usd"], strict=True))
    assert costs == {
        "spring/moreau.example": Decimal("0.03"),
        "spring/okoye.example": Decimal("0.03"),
        "autumn/moreau.example": Decimal(0),
        "autumn/lindqvist.example": Decimal("0.03"),
    }


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 409},
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 429, "headers": {"retry-after": "0.3"}},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "html", "status": 502},
        {"kind": "malformed_json"},
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "drop_midway"},
    ],
)
def test_what_passes_is_waited_out(room: Room, fault: dict[str, Any]) -> None:
    room.sandbox.set_fault("pipe0", times=1, **fault)
    collected = room.collect(at_companies(["company0.example", None]))
    assert collected.frame["reason"].to_list() == [None, "no_subject"]
    assert len(room.begun()) == 2


def test_a_campaign_that_may_spend_nothing_more_says_so_and_ends(room: Room) -> None:
    room.ledger.set_budget("campaign", 90_000, name="spring")
    collected = room.collect(at_companies(COMPANIES[:10]))
    assert collected.frame.filter(pl.col("reason") == "over_budget")["lead_id"].to_list() == [f"L{number}" for number in range(3, 10)]
    assert collected.frame["provider"].null_count() == 7
    assert collected.frame["cost_usd"].sum() == Decimal("0.09") == Decimal(str(room.sandbox.meter()["pipe0"][OVERVIEW]["usd"]))


def test_an_answer_past_its_time_is_served_as_stale_where_no_newer_can_be_had(room: Room) -> None:
    signal = room.signal()
    expired = replace(signal, lifetimes=Lifetimes(timedelta(0), timedelta(0), timedelta(0)))
    first = room.collect(at_companies(["company0.example"])).frame
    room.sandbox.set_fault("pipe0", "status", status=401)
    again = room.collect(at_companies(["company0.example"]), expired).frame
    assert again["stale"].to_list() == [True]
    assert again.drop("stale").equals(first.drop("stale"))


def test_without_a_key_nothing_is_asked_and_what_is_owned_is_served(room: Room, tmp_path: Path) -> None:
    signal = room.signal()
    keyless = Settings(home=tmp_path, ledger_url=f"sqlite:///{tmp_path / 'live.sqlite'}", pipe0_api_key=None)
    assert keyless.pipe0_api_key is None
    ledger = Ledger(keyless.ledger_location)

    async def answer(wants: Sequence[Want]) -> list[Reply]:
        body = {"fields": {"company_region": {"status": "completed", "value": "Bavaria"}}}
        return [Reply("found", None, body, want.price_micros) for want in wants]

    bought = Want("pipe0", f"pipe0.{OVERVIEW}", "owned.example", 30_000, "spring", signal.lifetimes)
    purchase(ledger, [bought], answer)
    collected = collect(signal, at_companies(["owned.example", "other.example", None]), ledger=ledger, settings=keyless)
    assert collected.frame["company_region"].to_list() == ["Bavaria", None, None]
    assert collected.frame["reason"].to_list() == [None, "no_key", "no_subject"]
    assert collected.frame["stale"].to_list() == [False, False, False]
    assert collected.frame["cost_usd"].to_list() == [Decimal("0.03"), Decimal(0), Decimal(0)]
    assert (collected.stats.total.hits, collected.stats.total.bought) == (1, 0)
    ledger.close()


def test_when_the_provider_has_no_room_everybody_waits(room: Room) -> None:
    held: list[float] = []

    class Noting(Turns):
        async def hold(self, bucket: str, seconds: float) -> None:
            assert bucket == "pipe0"
            held.append(seconds)

    async def ask(numbers: range) -> None:
        signal = room.signal()
        source = signal.sources[0]
        async with open_source("pipe0", room.settings, [signal], Noting(room.ledger)) as client:
            for number in numbers:
                want = Want("pipe0", source.ledger_operation, f"c{number}.example", 30_000, "spring", signal.lifetimes)
                room.ledger.claim([want], "me")
                await client.call(signal.subject, source, [want])

    asyncio.run(ask(range(1)))
    assert held == []
    room.sandbox.set_fault("pipe0", "capacity", rate=1)
    asyncio.run(ask(range(1, 13)))
    assert held == sorted(held)
    assert held[0] == Runs.SLOW_SECONDS
    assert held[-1] == Runs.STOP_SECONDS


def test_who_asked_the_provider_not_to_be_processed_is_suppressed(room: Room) -> None:
    people = [
        lead(number, linkedin_url=f"linkedin.com/in/person-{number}", email_normalized=f"person{number}@moreau.example")
        for number in range(3)
    ]
    room.sandbox.set_fault("pipe0", "status", status=451, match="person-1")
    table = room.collect(frame(people), room.signal("linkedin_posts")).frame
    assert table.filter(pl.col("reason") == "suppressed")["lead_id"].to_list() == ["L1"]
    suppressed = room.ledger.suppressions().row(0, named=True)
    assert (suppressed["kind"], suppressed["value_hash"]) == ("email", hashlib.sha256(b"person1@moreau.example").hexdigest())
    assert room.ledger.suppressions().height == 1


def test_a_signal_or_source_that_is_off_says_so(room: Room) -> None:
    signal = room.signal()
    for off in (replace(signal, enabled=False), replace(signal, sources=(replace(signal.sources[0], enabled=False),))):
        assert room.collect(at_companies(["moreau.example"]), off).frame["reason"].to_list() == ["off"]
    assert room.sandbox.requests("pipe0") == []


def test_pipe0s_own_mock_answers_are_free_and_never_served_as_facts(room: Room) -> None:
    leads = at_companies(["company0.example"])
    mock = collect(room.signal(), leads, ledger=room.ledger, settings=room.settings.model_copy(update={"pipe0_environment": "sandbox"}))
    assert (mock.frame["state"].item(), mock.stats.total.cost_micros, room.sandbox.billed("pipe0")) == ("found", 0, 0)
    facts = room.collect(leads)
    assert (facts.stats.total.bought, facts.stats.total.hits, room.sandbox.billed("pipe0")) == (1, 0, 1)


def test_made_up_answers_do_not_enter_a_live_ledger(room: Room) -> None:
    room.ledger.bind_world("live")
    with pytest.raises(WorldError):
        room.collect(at_companies(["moreau.example"]))


def test_no_leads_give_a_typed_empty_table(room: Room) -> None:
    assert room.collect(at_companies([])).frame.schema == CompanyOverview.polars_schema()
    assert room.collect(at_companies([None])).frame["reason"].to_list() == ["no_subject"]


def test_an_answer_that_its_parser_cannot_read_is_unknown_and_the_fix_reaches_it_for_free(room: Room) -> None:
    signal = room.signal()

    def broken(body: Any) -> Any:
        raise KeyError(body)

    spoiled = replace(signal, sources=(replace(signal.sources[0], parser=broken),))
    assert room.collect(at_companies(["company0.example"]), spoiled).frame["reason"].item() == "bad_answer"
    assert room.collect(at_companies(["company0.example"])).frame["state"].item() == "found"
    assert room.sandbox.billed("pipe0") == 1


def test_the_figures_of_a_run(room: Room) -> None:
    room.sandbox.set_fault("pipe0", "latency", latency_ms=20)
    room.sandbox.set_fault("pipe0", "no_result", match="company1.example")
    figures = room.collect(at_companies(["company0.example", "company1.example", "company0.example", None])).stats.metadata()
    assert figures.pop("latency_p50_ms") >= 20
    assert figures.pop("latency_p95_ms") >= 20
    assert figures == {
        "leads": 4,
        "subjects": 2,
        "given": 0,
        "calls_saved": 0,
        "calls_bought": 2,
        "found": 1,
        "missed": {"no_result": 1, "no_subject": 1},
        "cost_usd": 0.06,
        "uncertain_calls": 0,
    }


def test_neither_keys_nor_people_reach_the_log(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    settings = room.settings.model_copy(update={"pipe0_api_key": SecretStr("sk-very-secret")})
    leads = frame([lead(1, "moreau.example", linkedin_url="https://www.linkedin.com/in/ada-moreau", full_name="Ada Moreau")])
    signals = [room.impatient("company_overview"), room.impatient("linkedin_posts")]
    with caplog.at_level(logging.DEBUG):
        for kind in ("html", "task_failed"):
            room.sandbox.set_fault("pipe0", kind)
            for signal in signals:
                collect(signal, leads, ledger=room.ledger, settings=settings, retry=Retry(first=0.01))
            room.sandbox.clear_faults()
    said = caplog.text.lower()
    for private in ("sk-very-secret", "ada", "moreau"):
        assert private not in said


class Region(SignalRow):
    """A signal that does not ship."""

    table: ClassVar[str] = "signals.region"
    key: ClassVar[tuple[str, ...]] = ("campaign_id", "lead_id")

    region: Annotated[str | None, Column("Region", enriches=False)] = None


def test_a_new_signal_is_one_entry_one_contract_and_one_parser(room: Room, tmp_path: Path) -> None:
    (tmp_path / "signals.yaml").write_text(
        """
providers:
  pipe0: {credit_usd: 0.03, batch_size: 100, concurrency: 4}
signals:
  region:
    subject: company_domain
    lifetimes: {found: 90d, not_found: 30d}
    sources: [{provider: pipe0, operation: "company:overview@2", parser: region, credits: 1, billing: always}]
"""
    )

    def region(body: Any) -> dict[str, Any] | None:
        found = text(pipe0_value(body, "company_region"))
        return {"region": found} if found else None

    settings = room.settings.model_copy(update={"rules_dir": tmp_path})
    signals = load_signals(settings, contracts={**TABLES, Region.table: Region}, parsers={**all_parsers(), "region": region})
    table = collect(signals["region"], at_companies(["company0.example"]), ledger=room.ledger, settings=settings).frame
    assert table.schema == Region.polars_schema()
    assert table["region"].item()

"""What a lead brings is not bought: facts of an export are used with their date until they are stale, and then asked about."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.estimating.expected import load_experience
from lead_assets.estimating.signals import rehearse
from lead_assets.identity.resolve import resolve
from lead_assets.ledger.ledger import Ledger
from lead_assets.signals.engine import Collected, collect_all
from lead_assets.signals.merge import enrich
from lead_assets_tests.intake.samples import read
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import START, frame, lead

FIXTURES = Path(__file__).parents[2] / "fixtures" / "shapes"
EXPORT = FIXTURES / "apollo_contacts_2026.csv"
TECH_STACK, VERIFIER = "company:techstack:builtwith@1", "email-verifier"


class Clock:
    """A time that a test moves."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(room: Room) -> Clock:
    clock = Clock(START)
    room.ledger.close()
    room.ledger = Ledger(room.settings.ledger_location, clock)
    return clock


def exported(*campaigns: str) -> pl.DataFrame:
    """identity.leads of an Apollo export that arrived in these campaigns at START."""
    raw = read(EXPORT.read_bytes()).leads.drop("drop", "own_campaign", strict=False)
    return resolve(
        pl.concat(
            raw.with_columns(
                campaign_id=pl.lit(campaign),
                drop_sha256=pl.lit("0" * 64),
                drop_name=pl.lit("export.csv"),
                received_at=pl.lit(START).cast(pl.Datetime("us", "UTC")),
            )
            for campaign in campaigns
        )
    ).leads


def facts(**said: Any) -> str:
    """identity.leads.given, without dates."""
    return json.dumps({name: {"value": value, "as_of": None} for name, value in said.items()})


def bought(room: Room, leads: pl.DataFrame, *names: str, ledger: Ledger | None = None) -> dict[str, Collected]:
    return collect_all([room.signal(name) for name in names], leads, ledger=ledger or room.ledger, settings=room.settings)


def asked(room: Room) -> dict[str, dict[str, int]]:
    return {
        operation: dict(subjects)
        for provider in ("pipe0", "hunter", "apollo")
        for operation, subjects in room.sandbox.subjects(provider).items()
        if subjects
    }


def test_an_export_with_technologies_funding_and_a_verified_address_costs_no_call_for_them(room: Room, clock: Clock) -> None:
    leads = exported("spring")
    collected = bought(room, leads, "tech_stack", "funding", "email")

    assert (asked(room), room.begun()) == ({}, [])
    for each in collected.values():
        row = each.frame.row(0, named=True)
        assert (row["state"], row["reason"], row["provider"], row["stale"], row["synthetic"]) == ("found", None, "given", False, False)
        assert each.stats.metadata()["calls_saved"] == each.stats.metadata()["given"] == 1
        assert each.stats.figures(each.frame)["spring"]["given"] == 1
    technologies, funding, email = (collected[name].frame.row(0, named=True) for name in ("tech_stack", "funding", "email"))
    assert (technologies["technologies"], technologies["as_of"]) == (["AWS", "React", "SAP"], START)
    assert (funding["funding_total_usd"], funding["latest_round"], funding["latest_round_on"]) == (12e6, "Series A", date(2025, 5, 1))
    assert (email["email_address"], email["email_grade"], email["email_from"]) == ("sean@dalyrobotics.example", "valid", "own")
    assert email["as_of"] == datetime(2026, 11, 1, 9, tzinfo=UTC)  # when Apollo verified it


def test_what_the_export_does_not_say_is_bought_and_what_it_says_fills_the_gaps(room: Room, clock: Clock) -> None:
    leads = exported("spring")
    collected = bought(room, leads, "tech_stack", "company_overview")
    assert asked(room) == {"company:overview@2": {"dalyrobotics.example": 1}}
    assert collected["company_overview"].frame["provider"].to_list() == ["pipe0"]

    alone = enrich(leads, {name: each.frame for name, each in collected.items() if name == "tech_stack"}).row(0, named=True)
    assert (alone["headcount"], alone["headcount_min"], alone["headcount_max"]) == ("85", 85, 85)
    assert (alone["company_industry"], alone["company_region"], alone["hq_country_code"]) == (
        "machinery",
        "Dublin, County Dublin, Ireland",
        "IE",
    )
    provenance = json.loads(alone["provenance"])
    assert provenance["headcount"] == provenance["technologies"] == {"as_of": "2026-11-01T09:00:00.000000Z", "provider": "given"}
    both = enrich(leads, {name: each.frame for name, each in collected.items()}).row(0, named=True)
    assert json.loads(both["provenance"])["headcount"]["provider"] == "pipe0"


def test_a_given_fact_is_asked_about_once_it_is_stale(room: Room, clock: Clock) -> None:
    leads = exported("spring")
    looks = bought(room, leads, "tech_stack")["tech_stack"].looks["spring"]
    assert looks.until == (START + timedelta(days=90)).timestamp()
    clock.now = START + timedelta(days=89, hours=23)
    assert bought(room, leads, "tech_stack")["tech_stack"].frame["provider"].to_list() == ["given"]
    assert room.begun() == []

    clock.now = START + timedelta(days=91)
    collected = bought(room, leads, "tech_stack")["tech_stack"]
    row = collected.frame.row(0, named=True)
    assert asked(room) == {TECH_STACK: {"dalyrobotics.example": 1}}
    assert (row["provider"], row["as_of"] >= clock.now, row["stale"]) == ("pipe0", True, False)
    assert (collected.stats.given.total(), collected.stats.total.bought) == (0, 1)


def test_a_stale_fact_is_better_than_no_answer(room: Room, clock: Clock) -> None:
    clock.now = START + timedelta(days=31)
    room.settings = room.settings.model_copy(update={"sandbox_url": None, "home": room.settings.home})
    row = bought(room, exported("spring"), "funding")["funding"].frame.row(0, named=True)
    assert (row["state"], row["provider"], row["as_of"], row["stale"]) == ("found", "given", START, True)


def test_a_rebuild_years_later_gives_the_same_rows(room: Room, clock: Clock) -> None:
    leads = exported("spring")
    before = {name: each.frame for name, each in bought(room, leads, "tech_stack", "email").items()}
    clock.now = START + timedelta(days=2000)
    again = bought(room, leads, "tech_stack", "email", ledger=room.ledger.recall_only())
    assert all(each.frame.equals(before[name]) for name, each in again.items())
    assert asked(room) == {}


def test_a_newer_answer_of_the_ledger_wins_over_a_given_fact(room: Room, clock: Clock) -> None:
    others = frame([lead(1, "dalyrobotics.example", campaign_id="autumn")])
    leads = exported("spring")
    clock.now = START + timedelta(days=1)
    bought(room, others, "tech_stack")
    row = bought(room, leads, "tech_stack")["tech_stack"].frame.row(0, named=True)
    assert (row["provider"], row["as_of"], asked(room)) == ("pipe0", clock.now, {TECH_STACK: {"dalyrobotics.example": 1}})


def test_what_a_lead_brings_counts_for_its_own_campaign_whatever_runs_beside_it(room: Room, clock: Clock) -> None:
    others = frame([lead(1, "dalyrobotics.example", campaign_id="autumn"), lead(2, "dalyrobotics.example", campaign_id="spring")])
    leads = pl.concat([others, exported("spring")], how="diagonal_relaxed")
    collected = bought(room, leads, "tech_stack")["tech_stack"]
    assert collected.frame.select("campaign_id", "provider").rows() == [("autumn", "pipe0"), ("spring", "given"), ("spring", "given")]
    assert collected.stats.spent["autumn"].bought == 1
    assert (collected.stats.spent["spring"].bought, collected.stats.spent["spring"].hits) == (0, 1)
    assert collected.frame["cost_usd"].sum() == collected.frame.filter(campaign_id="autumn")["cost_usd"].sum() > 0


def test_what_an_older_payload_of_a_lead_gives_is_as_old_as_that_payload(room: Room, clock: Clock) -> None:
    export = read(EXPORT.read_bytes()).leads.drop("drop", "own_campaign", strict=False)
    receipt = {"campaign_id": pl.lit("spring"), "drop_sha256": pl.lit("0" * 64), "drop_name": pl.lit("x")}
    arrived = pl.lit(START).cast(pl.Datetime("us", "UTC"))
    later = {"given": pl.lit(None, pl.String), "lead_id": pl.lit("form:1"), "position": pl.lit(9, pl.Int64)}
    leads = resolve(
        pl.concat(
            [
                export.with_columns(**receipt, received_at=arrived),
                export.with_columns(**receipt, **later, received_at=arrived + timedelta(days=60)),
                export.with_columns(
                    **receipt, **later, company=pl.lit("Quite Another"), website=pl.lit(None), email=pl.lit("s@quite.example")
                ).with_columns(received_at=arrived, lead_id=pl.lit("form:2"), given=pl.lit(None, pl.String)),
            ]
        )
    ).leads
    clock.now = START + timedelta(days=89)
    row = bought(room, leads.filter(pl.col("company_domain") == "dalyrobotics.example"), "tech_stack")["tech_stack"].frame.row(
        0, named=True
    )
    assert (row["provider"], row["as_of"]) == ("given", START)


@pytest.mark.parametrize(
    ("given", "is_bought"),
    [
        (facts(email_address="ada@moreau.example", email_grade="valid"), False),
        (facts(email_address="ADA@moreau.example", email_grade="valid"), False),
        (facts(email_address="ada@moreau.example", email_grade="probable"), True),
        (facts(email_address="ada@moreau.example"), True),
        (facts(email_address="bea@moreau.example", email_grade="valid"), True),
        (facts(email_grade="valid"), True),
        ("{}", True),
        ("not JSON", True),
        (json.dumps({"email_address": "ada@moreau.example", "email_grade": ["valid"]}), True),
    ],
)
def test_only_a_verified_address_of_the_leads_own_is_not_verified_again(room: Room, clock: Clock, given: str, is_bought: bool) -> None:
    leads = frame([lead(1, "moreau.example", email_normalized="ada@moreau.example", given=given)])
    bought(room, leads, "email")
    assert (VERIFIER in asked(room)) is is_bought


def test_a_fact_that_cannot_be_read_or_is_dated_after_its_arrival_is_none(room: Room, clock: Clock) -> None:
    said = {"funding_total_usd": {"value": "a lot"}, "latest_round": {"value": "Seed"}, "latest_round_on": {"value": "2020-05-01"}}
    rows = [
        lead(1, "one.example", given=json.dumps(said)),
        lead(2, "two.example", given=facts(funding_total_usd="$1,000", latest_round="Seed", latest_round_on="2020-05-01")),
        lead(3, "three.example", given=json.dumps({"technologies": {"value": ["SAP"], "as_of": "2030-01-01T00:00:00+00:00"}})),
    ]
    collected = bought(room, frame(rows), "funding", "tech_stack")
    assert collected["funding"].frame["provider"].to_list()[1] == "given"
    assert (collected["funding"].stats.total.bought, collected["funding"].stats.given.total()) == (2, 1)
    assert collected["tech_stack"].frame.row(2, named=True)["as_of"] == START + timedelta(minutes=3)


def test_the_estimate_leaves_out_what_is_given(room: Room, clock: Clock) -> None:
    leads = pl.concat([exported("spring"), frame([lead(7, "moreau.example")])], how="diagonal_relaxed")
    experience = load_experience(room.settings, room.ledger)
    names = ("tech_stack", "funding")
    rehearsed = rehearse([room.signal(name) for name in names], leads, ledger=room.ledger, settings=room.settings, experience=experience)
    assert {each.signal: each.subjects for each in rehearsed.expected} == dict.fromkeys(names, 1)
    assert rehearsed.given == dict.fromkeys(names, 1)

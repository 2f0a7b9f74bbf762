"""An account has one owner forever, whoever asks and in whatever order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lead_assets.contracts import RoutingDecision
from lead_assets.ledger.ledger import Ledger
from lead_assets.routing.model import RoutingTable
from lead_assets.routing.ownership import decide
from lead_assets_tests.routing.frames import NOON, chosen, content, routable, table

TABLE_TEXT = """\
regions: {DACH: [DE, AT, CH]}
owners: [{id: nina, name: Nina}, {id: callum, name: Callum}, {id: desk, name: Desk}]
territories:
  - {name: dach, owner: nina, when: {region: DACH}}
  - {name: uk, owner: callum, when: {country_code: GB}}
fallback_owner: desk
"""
TABLE = table(TABLE_TEXT)
OTHER_WAY = table("""\
owners: [{id: solo, name: Solo}]
fallback_owner: solo
""")

GERMAN = {"account_key": "kestrel.example", "country_code": "DE"}
BRITISH = {"account_key": "kestrel.example", "country_code": "GB"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


def decided(leads: pl.DataFrame, by: RoutingTable, ledger: Ledger) -> pl.DataFrame:
    return decide(leads, by, ledger, content(by))


def owners(decisions: pl.DataFrame) -> list[str]:
    return decisions["owner"].to_list()


def test_two_leads_of_one_account_in_two_territories_get_the_owner_of_the_first_to_arrive(ledger: Ledger) -> None:
    decisions = decided(routable(GERMAN, BRITISH), TABLE, ledger)
    assert owners(decisions) == ["nina", "nina"]
    assert decisions["reason"].to_list() == [
        "country DE is in DACH",
        "account already owned, from campaign fall: country DE is in DACH",
    ]
    other = {"account_key": "heron.example"}
    later = routable(GERMAN | other | {"received_at": NOON.replace(hour=13), "lead_id": "a"}, BRITISH | other | {"lead_id": "b"})
    assert owners(decided(later, TABLE, ledger)) == ["callum", "callum"]


def test_accounts_of_one_company_in_one_batch_get_one_owner(ledger: Ledger) -> None:
    ledger.identities.record(
        "account", [("kestrel.example", "account_1", 0), ("kestrel.de", "account_1", 0), ("heron.example", "account_2", 0)]
    )
    others = [BRITISH | {"account_key": name} for name in ("kestrel.de", "heron.example", "unregistered.example")]
    decisions = decided(routable(GERMAN, *others), TABLE, ledger)
    assert owners(decisions) == ["nina", "nina", "callum", "callum"]
    assert decisions["authority"].to_list() == ["rule", "existing_owner", "rule", "rule"]


def test_an_account_keeps_its_owner_across_campaigns_and_changed_tables(ledger: Ledger) -> None:
    decided(routable(GERMAN), TABLE, ledger)
    changed = table(TABLE_TEXT.replace("owner: callum", "owner: desk"))
    later = decided(routable(BRITISH | {"campaign_id": "winter"}), changed, ledger)
    assert owners(later) == ["nina"]
    assert later.select("reason", "authority", "territory").row(0) == (
        "account already owned, from campaign fall: country DE is in DACH",
        "existing_owner",
        "dach",
    )


def test_a_second_run_gives_the_same_rows_even_if_the_table_has_changed(ledger: Ledger) -> None:
    leads = routable(GERMAN, BRITISH, {"country_code": "KE"}, {"country_code": "GB"})
    first = decided(leads, TABLE, ledger)
    for again in (TABLE, OTHER_WAY):
        assert_frame_equal(decided(leads, again, ledger), first)


def test_the_order_of_the_leads_does_not_matter(tmp_path: Path) -> None:
    rows = [
        GERMAN,
        BRITISH,
        {"country_code": "AT"},
        {"country_code": "GB", "account_key": "kestrel.example", "received_at": NOON.replace(hour=9)},
        {},
    ]
    leads = routable(*rows)
    found = []
    for seed in range(4):
        ledger = Ledger(f"sqlite:///{tmp_path / f'{seed}.sqlite'}", lambda: NOON)
        found.append(decided(leads.sample(fraction=1.0, shuffle=True, seed=seed) if seed else leads, TABLE, ledger))
        ledger.close()
    assert owners(found[0].filter(pl.col("account_key") == "kestrel.example")) == ["callum"] * 3
    for other in found[1:]:
        assert_frame_equal(other, found[0])


EARLIER: dict[str, Any] = {
    "received_at": NOON.replace(hour=9),
    "drop_sha256": "a" * 64,
    "position": 1,
    "campaign_id": "fall",
    "lead_id": "a",
}
LATER: dict[str, Any] = {"received_at": NOON, "drop_sha256": "b" * 64, "position": 2, "campaign_id": "winter", "lead_id": "b"}


@pytest.mark.parametrize("decisive", range(len(EARLIER)), ids=list(EARLIER))
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_that_came_together_the_first_is_found_by_each_thing_in_turn(decisive: int, turned: bool) -> None:
    """The two agree in all that goes before the decisive thing, and what goes after it says the opposite."""
    names = list(EARLIER)
    first = {name: LATER[name] if index > decisive else EARLIER[name] for index, name in enumerate(names)}
    second = {name: EARLIER[name] if index != decisive else LATER[name] for index, name in enumerate(names)}
    rows: list[dict[str, Any]] = [{**GERMAN, **first}, {**BRITISH, **second}]
    assert [row["owner"] for row in chosen(routable(*(rows[::-1] if turned else rows)), TABLE)] == ["nina", "nina"]


def test_decisions_are_sorted_by_campaign_and_lead(ledger: Ledger) -> None:
    leads = routable(*({"campaign_id": campaign, "lead_id": lead} for campaign, lead in [("b", "1"), ("a", "2"), ("a", "1")]))
    assert decided(leads, TABLE, ledger).select("campaign_id", "lead_id").rows() == [("a", "1"), ("a", "2"), ("b", "1")]


def test_decisions_are_rows_of_the_contract(ledger: Ledger) -> None:
    decisions = decided(routable({"country_code": "DE", "tier": "hot", "score": 91.5}), TABLE, ledger)
    assert decisions.schema == RoutingDecision.polars_schema()
    row = RoutingDecision.model_validate(decisions.row(0, named=True))
    assert (row.territory, row.rule, row.fallback, row.tier, row.score) == ("dach", "region in DACH", False, "hot", 91.5)
    assert (row.authority, row.path, row.passed_over, row.routing_table) == ("rule", "route", "[]", content(TABLE)[0])
    assert json.loads(row.facts) == {"country_code": "DE"}
    assert decided(routable(), TABLE, ledger).schema == RoutingDecision.polars_schema()


def test_a_decision_says_the_owners_address_and_crm_id_of_today(ledger: Ledger) -> None:
    leads = routable({"country_code": "DE"})
    assert decided(leads, TABLE, ledger).select("owner_email", "owner_crm_id").row(0) == (None, None)
    known = table(TABLE_TEXT.replace("name: Nina", "name: Nina, email: nina@our.example, crm_id: '77'"))
    assert decided(leads, known, ledger).select("owner_email", "owner_crm_id").row(0) == ("nina@our.example", "77")


def test_racing_runs_agree_on_every_owner(tmp_path: Path) -> None:
    """Two runs with opposite tables offer the same accounts at once, each through its own connection: each account has one owner in both."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    leads = routable(*({"country_code": "DE"} for _ in range(200)))
    results: dict[str, pl.DataFrame] = {}
    start = threading.Barrier(2)

    def run(name: str, halves: list[pl.DataFrame]) -> None:
        ledger = Ledger(url)
        start.wait()
        results[name] = pl.concat([decided(half, {"one": TABLE, "other": OTHER_WAY}[name], ledger) for half in halves])
        ledger.close()

    parts = [leads.slice(0, 100), leads.slice(100)]
    runs = [threading.Thread(target=run, args=("one", parts)), threading.Thread(target=run, args=("other", parts[::-1]))]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert_frame_equal(results["one"].sort("lead_id"), results["other"].sort("lead_id"))
    assert results["one"].height == 200

"""An account has one owner forever, whoever asks and in whatever order."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lead_assets.contracts import RoutingDecision
from lead_assets.ledger.assignments_model import Assignment, Proposal
from lead_assets.ledger.ledger import Ledger
from lead_assets.routing.ownership import decide
from lead_assets_tests.routing.frames import NOON, Memory, routable, table

TABLE = table("""\
regions: {DACH: [DE, AT, CH]}
owners: [{id: nina, name: Nina}, {id: callum, name: Callum}, {id: desk, name: Desk}]
territories:
  - {name: dach, owner: nina, when: {region: DACH}}
  - {name: uk, owner: callum, when: {country_code: GB}}
fallback_owner: desk
""")
OTHER_WAY = table("""\
owners: [{id: solo, name: Solo}]
fallback_owner: solo
""")

GERMAN = {"account_key": "kestrel.example", "country_code": "DE"}
BRITISH = {"account_key": "kestrel.example", "country_code": "GB"}


def owners(decisions: pl.DataFrame) -> list[str]:
    return decisions["owner"].to_list()


def test_two_leads_of_one_account_in_two_territories_get_the_owner_of_the_first_to_arrive() -> None:
    decisions = decide(routable(GERMAN, BRITISH), TABLE, Memory().assign)
    assert owners(decisions) == ["nina", "nina"]
    assert decisions["reason"].to_list() == [
        "country DE is in DACH",
        "account already owned, from campaign fall: country DE is in DACH",
    ]
    later_british = routable(GERMAN | {"received_at": NOON.replace(hour=13)}, BRITISH)
    assert owners(decide(later_british, TABLE, Memory().assign)) == ["callum", "callum"]


def test_an_account_keeps_its_owner_across_campaigns_and_changed_tables() -> None:
    memory = Memory()
    first = decide(routable(GERMAN), TABLE, memory.assign)
    later = decide(routable(BRITISH | {"campaign_id": "winter"}), OTHER_WAY, memory.assign)
    assert owners(later) == ["nina"]
    assert later["reason"].item() == "account already owned, from campaign fall: country DE is in DACH"
    assert later["assigned_at"].item() == first["assigned_at"].item()


def test_a_second_run_gives_the_same_rows_even_if_the_table_has_changed() -> None:
    memory = Memory()
    leads = routable(GERMAN, BRITISH, {"country_code": "KE"}, {"country_code": "GB"})
    first = decide(leads, TABLE, memory.assign)
    for again in (TABLE, OTHER_WAY):
        assert_frame_equal(decide(leads, again, memory.assign), first)


def test_the_order_of_the_leads_does_not_matter() -> None:
    rows = [
        GERMAN,
        BRITISH,
        {"country_code": "AT"},
        {"country_code": "GB", "account_key": "kestrel.example", "received_at": NOON.replace(hour=9)},
        {},
    ]
    leads = routable(*rows)
    expected = decide(leads, TABLE, Memory().assign)
    assert owners(expected.filter(pl.col("account_key") == "kestrel.example")) == ["callum"] * 3
    for seed in range(5):
        shuffled = leads.sample(fraction=1.0, shuffle=True, seed=seed)
        # What time an account was given at is the memory's own: it counts up in the order of the offers, and that order must hold too.
        assert_frame_equal(decide(shuffled, TABLE, Memory().assign), expected)


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
    assert owners(decide(routable(*(rows[::-1] if turned else rows)), TABLE, Memory().assign)) == ["nina", "nina"]


def test_each_account_is_offered_once() -> None:
    memory = Memory()
    decide(routable(GERMAN, BRITISH, {}), TABLE, memory.assign)
    assert [[offer.account_key for offer in offers] for offers in memory.offers] == [["kestrel.example", "company-3.example"]]


def test_decisions_are_sorted_by_campaign_and_lead() -> None:
    leads = routable(*({"campaign_id": campaign, "lead_id": lead} for campaign, lead in [("b", "1"), ("a", "2"), ("a", "1")]))
    decisions = decide(leads, TABLE, Memory().assign)
    assert decisions.select("campaign_id", "lead_id").rows() == [("a", "1"), ("a", "2"), ("b", "1")]


def test_decisions_are_rows_of_the_contract() -> None:
    decisions = decide(routable({"country_code": "DE", "tier": "hot", "score": 91.5}), TABLE, Memory().assign)
    assert decisions.schema == RoutingDecision.polars_schema()
    row = RoutingDecision.model_validate(decisions.row(0, named=True))
    assert (row.territory, row.rule, row.fallback, row.tier, row.score) == ("dach", "region in DACH", False, "hot", 91.5)
    assert decide(routable(), TABLE, Memory().assign).schema == RoutingDecision.polars_schema()


def test_a_ledger_that_leaves_an_account_without_owner_is_an_error_and_not_a_lost_lead() -> None:
    with pytest.raises(ValueError, match="no assignment for 1 of the accounts"):
        decide(routable(GERMAN), TABLE, lambda _: {})


def test_in_the_real_ledger_racing_runs_agree_on_every_owner(tmp_path: Path) -> None:
    """Two runs with opposite tables offer the same accounts at once, each through its own connection: each account has one owner in both."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    leads = routable(*({"country_code": "DE"} for _ in range(200)))
    results: dict[str, pl.DataFrame] = {}
    start = threading.Barrier(2)

    def run(name: str, halves: list[pl.DataFrame]) -> None:
        ledger = Ledger(url)
        start.wait()
        results[name] = pl.concat([decide(half, {"one": TABLE, "other": OTHER_WAY}[name], ledger.assign) for half in halves])
        ledger.close()

    parts = [leads.slice(0, 100), leads.slice(100)]
    runs = [threading.Thread(target=run, args=("one", parts)), threading.Thread(target=run, args=("other", parts[::-1]))]
    for thread in runs:
        thread.start()
    for thread in runs:
        thread.join()
    assert_frame_equal(results["one"].sort("lead_id"), results["other"].sort("lead_id"))
    assert results["one"].height == 200


def test_a_proposal_and_its_assignment_say_the_same() -> None:
    proposal_fields = list(Proposal.__dataclass_fields__)
    assert [name for name in Assignment.__dataclass_fields__ if name != "assigned_at"] == proposal_fields

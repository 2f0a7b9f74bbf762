"""Owners of leads and accounts are kept: the first choice stays, moves are written down, and a second look changes nothing. On both databases."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from lead_assets.ledger import Ledger
from lead_assets.ledger.assignments_model import Choose, Chosen, LeadToRoute, Move, RoutingState, Since
from lead_assets_tests.ledger.conftest import Clock
from lead_assets_tests.ledger.owners import WAY, leads, to

TABLE = ("digest", "{}")
MOVE = Move("reroute", "ops", "a new rule")


def owners(ledger: Ledger, campaign: str = "spring") -> dict[str, str]:
    return dict(ledger.routed([campaign]).select("lead_id", "owner").iter_rows())


def test_the_first_owner_of_a_lead_and_of_its_account_stays(timed: Ledger, clock: Clock) -> None:
    timed.route([], to([], "nina"), TABLE)
    first = leads(2)
    timed.route(first, to(first, "nina"), TABLE)
    clock.pass_by(timedelta(days=1))
    later = [*leads(3), *(lead._replace(lead_id=f"other-{lead.lead_id}") for lead in leads(1))]
    timed.route(later, to(later, "diego"), TABLE)
    assert owners(timed) == {"lead-0": "nina", "lead-1": "nina", "lead-2": "diego", "other-lead-0": "nina"}
    assert {key: each.owner for key, each in timed.assigned([f"account-{n}" for n in range(4)]).items()} == {
        "account-0": "nina",
        "account-1": "nina",
        "account-2": "diego",
    }
    times = dict(timed.routed(["spring"]).select("lead_id", "routed_at").iter_rows())
    assert times["lead-2"] - times["lead-0"] == timedelta(days=1)
    assert timed.ways(["west"]) == {"west": WAY}
    assert (timed.routing_table("digest"), timed.routing_table("other")) == ("{}", None)


def test_who_chooses_sees_what_the_ledger_knows_at_that_moment(timed: Ledger, clock: Clock) -> None:
    seen: list[RoutingState] = []

    def looking(choose: Choose) -> Choose:
        def choose_and_look(standing: RoutingState, indices: object) -> Chosen:
            seen.append(standing)
            load = standing.loads({"nina": Since(_us(clock) - 1, 0)})["nina"]
            chosen = choose(standing, indices)  # type: ignore[arg-type]
            chosen.rotas = {"pool": f"{load.given}/{load.open}"}
            return chosen

        return choose_and_look

    timed.note_crm([("account-1", "77", None), ("account-9", None, True)])
    timed.note_crm([("account-1", None, True)])
    timed.route(leads(3), looking(to(leads(3), "nina")), TABLE)
    assert (seen[0].accounts, seen[0].rotas, seen[0].now) == ({}, {}, clock.time)
    assert {key: tuple(each) for key, each in seen[0].crm.items()} == {"account-1": ("77", True)}
    clock.pass_by(timedelta(hours=1))
    timed.close_leads([("spring", "lead-0")])
    timed.route(leads(1, "fall"), looking(to(leads(1, "fall"), "omar")), TABLE)
    assert seen[1].accounts["account-0"].owner == "nina"
    assert seen[1].rotas == {"pool": "0/0"}
    # Closed leads are given, and open no longer; those given before the day began are open.
    timed.route(leads(9, "summer"), looking(to(leads(9, "summer"), "omar")), TABLE)
    assert seen[2].rotas == {"pool": "0/2"}
    # One that was lost and is open again counts again.
    timed.close_leads([("spring", "lead-1"), ("nowhere", "nobody")], [("spring", "lead-0"), ("spring", "lead-2")])
    timed.close_leads([], [("nowhere", "nobody")])
    assert timed.routed(["spring"]).filter(pl.col("closed_at").is_not_null())["lead_id"].to_list() == ["lead-1"]


def _us(clock: Clock) -> int:
    return int(clock.time.timestamp()) * 1_000_000


def test_a_reroute_moves_open_leads_and_says_who_moved_them(timed: Ledger, clock: Clock) -> None:
    offered = leads(3)
    timed.route(offered, to(offered, "nina"), TABLE)
    timed.close_leads([("spring", "lead-2")])
    clock.pass_by(timedelta(days=1))
    planned = timed.reroute(offered, to(offered, "omar"), TABLE, MOVE, dry_run=True)
    assert owners(timed) == {"lead-0": "nina", "lead-1": "nina", "lead-2": "nina"}
    assert timed.owner_changes_of(["spring"]) == {"spring": 0}
    moved = timed.reroute(offered, to(offered, "omar"), TABLE, MOVE)
    assert moved == planned
    assert [(each.lead_id, each.before, each.after) for each in moved] == [("lead-0", "nina", "omar"), ("lead-1", "nina", "omar")]
    assert owners(timed) == {"lead-0": "omar", "lead-1": "omar", "lead-2": "nina"}
    assert timed.assigned(["account-0"])["account-0"].owner == "omar"
    history = [(each.kind, each.lead_id, each.before, each.after, each.by, each.why) for each in timed.owner_history("account-0")]
    assert history == [
        ("reroute", None, "nina", "omar", "ops", "a new rule"),
        ("reroute", "lead-0", "nina", "omar", "ops", "a new rule"),
    ]
    last = timed.owner_changes_of(["spring", "fall"])
    assert last["spring"] > 0
    assert last["fall"] == 0
    # Once more, nothing moves, and nothing is written.
    assert timed.reroute(offered, to(offered, "omar"), TABLE, MOVE) == []
    assert timed.owner_changes_of(["spring"])["spring"] == last["spring"]


def test_a_reroute_does_not_count_the_leads_it_moves(timed: Ledger) -> None:
    offered = leads(4)
    timed.route(offered, to(offered, "nina"), TABLE)
    loads = []

    def looking(standing: RoutingState, indices: object) -> Chosen:
        loads.append(standing.loads({"nina": Since(0, 0)})["nina"])
        return to(offered, "nina")(standing, indices)  # type: ignore[arg-type]

    timed.reroute(offered[:3], looking, TABLE, MOVE, dry_run=True)
    assert [tuple(load) for load in loads] == [(1, 1)]


def test_an_account_is_transferred_with_its_open_leads_or_released(timed: Ledger) -> None:
    offered = [lead._replace(account_key="acme.example") for lead in leads(3)]
    timed.route(offered, to(offered, "nina"), TABLE)
    timed.close_leads([("spring", "lead-1")])
    moved = timed.transfer("acme.example", "omar", Move("transfer", "ops", "knows them"), ("moved", WAY))
    assert [each.lead_id for each in moved] == ["lead-0", "lead-2"]
    assert owners(timed) == {"lead-0": "omar", "lead-1": "nina", "lead-2": "omar"}
    assert timed.routed(["spring"]).filter(lead_id="lead-0")["way"].item() == "moved"
    assert (timed.accounts_of("omar"), timed.accounts_of("nina")) == (["acme.example"], [])
    assert timed.release_account("acme.example", Move("release", "ops", "a mistake")) == "omar"
    assert timed.release_account("acme.example", MOVE) is None
    assert timed.assigned(["acme.example"]) == {}
    assert [(each.kind, each.lead_id, each.after) for each in timed.owner_history("acme.example")] == [
        ("transfer", None, "omar"),
        ("transfer", "lead-0", "omar"),
        ("transfer", "lead-2", "omar"),
        ("release", None, None),
    ]
    assert timed.routed_of("omar").height == 2
    assert timed.routed_ever().height == 3
    # An account that nobody had.
    assert timed.transfer("new.example", "omar", MOVE, ("moved", WAY)) == []
    assert timed.assigned(["new.example"])["new.example"].owner == "omar"


def test_another_domain_of_a_company_has_its_first_owner_and_is_a_customer_as_it_is(timed: Ledger, clock: Clock) -> None:
    seen: list[RoutingState] = []
    first = [LeadToRoute("spring", "one", "acme.com")]
    timed.route(first, to(first, "nina"), TABLE)
    clock.pass_by(timedelta(hours=1))
    second = [LeadToRoute("spring", "two", "acme.co.uk")]
    timed.route(second, to(second, "omar"), TABLE)
    timed.note_crm([("acme.com", "77", None), ("acme.co.uk", None, True)])
    timed.identities.record("account", [(member, "account_1", 0) for member in ("acme.com", "acme.co.uk", "acme.de", "person:0f")])
    timed.identities.record("person", [("globex.com", "account_1", 0)])

    def looking(standing: RoutingState, indices: object) -> Chosen:
        seen.append(standing)
        return to(third, "diego")(standing, indices)  # type: ignore[arg-type]

    third = [LeadToRoute("fall", f"lead-{at}", key) for at, key in enumerate(["acme.de", "person:0f", "acme.co.uk", "globex.com"])]
    timed.route(third, looking, TABLE)
    assert owners(timed, "fall") == {"lead-0": "nina", "lead-1": "nina", "lead-2": "omar", "lead-3": "diego"}
    assert {key for key, each in seen[0].crm.items() if each.customer} == {"acme.de", "person:0f", "acme.co.uk"}

"""Who gets a lead: authority, people who are away, full or gone, pools, nurture and hold, and what is kept of it."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead_assets.ledger.assignments_model import Held, InCrm
from lead_assets.routing.choose import Chooser
from lead_assets.routing.explain import on_the_way
from lead_assets.routing.matching import match
from lead_assets.routing.model import RoutingTable
from lead_assets.routing.rehearse import Rehearsal
from lead_assets_tests.routing.frames import NOON, chosen, routable, table

BASE = """\
regions: {DACH: [DE, AT, CH]}
owners:
  - {id: nina, name: Nina, email: nina@our.example, crm_id: "11"}
  - {id: omar, name: Omar, absent: [{from: 2026-11-01, to: 2026-11-03}]}
  - {id: theo, name: Theo, active: false}
  - {id: lea, name: Lea, left: true}
  - {id: kim, name: Kim, capacity: {per_day: 2}}
  - {id: pat, name: Pat, capacity: {open: 3}}
  - {id: desk, name: Desk}
teams:
  - {id: west, name: West, members: [kim, pat, omar]}
pools:
  - {id: both, members: [nina, pat]}
  - {id: gone, members: [omar, theo], otherwise: west}
named_accounts:
  - {accounts: [big.example], to: nina}
  - {accounts: away.example, to: omar}
territories:
"""

ROSTERS_TRIED = int(os.environ.get("LEAD_ASSETS_TEST_ROSTERS", "3000"))
"""Random rosters of the slow tests. 100,000 take about an hour."""


def by(*rules: str, more: str = "") -> RoutingTable:
    lines = "".join(f"  - {{name: rule-{n}, {rule}}}\n" for n, rule in enumerate(rules, start=1)) or "  []\n"
    return table(f"{BASE}{lines}fallback_owner: desk\n{more}")


def of(count: int = 1, **lead: object) -> Any:
    return routable(*([dict(lead)] * count))


def held(owner: str) -> Held:
    return Held(owner, "spring", "country DE is in DACH", "dach", "region in DACH", False)


EVERYBODY = "when: {tier: [hot, warm, cold]}"


@pytest.mark.parametrize(
    ("account", "here", "crm", "owner", "authority"),
    [
        ("new.example", None, None, "kim", "rule"),
        ("new.example", "nina", None, "nina", "existing_owner"),
        ("new.example", None, "11", "nina", "crm_owner"),
        ("new.example", None, "NINA@our.example", "nina", "crm_owner"),
        # An owner here wins over the CRM's; one who is only there wins over a name in the table and the rules.
        ("big.example", "pat", "11", "pat", "existing_owner"),
        ("away.example", None, "11", "nina", "crm_owner"),
        ("big.example", None, None, "nina", "named_account"),
        # Whoever cannot take it is passed over, and the next authority decides.
        ("new.example", "omar", None, "kim", "rule"),
        ("new.example", None, "stranger", "kim", "rule"),
        ("away.example", None, None, "kim", "rule"),
        ("new.example", "somebody-removed", None, "kim", "rule"),
    ],
)
def test_existing_owner_then_named_account_then_rules(account: str, here: str | None, crm: str | None, owner: str, authority: str) -> None:
    state = Rehearsal({account: held(here)} if here else {}, {account: InCrm(crm, None)} if crm else {})
    (row,) = chosen(of(account_key=account), by(f"owner: kim, {EVERYBODY}"), state)
    assert (row["owner"], row["authority"]) == (owner, authority)


def test_an_owner_who_is_passed_over_keeps_the_account() -> None:
    state = Rehearsal({"new.example": held("omar")})
    (row,) = chosen(of(account_key="new.example"), by(f"owner: kim, {EVERYBODY}"), state)
    assert row["passed_over"] == [{"who": "omar", "why": "is away until 2026-11-03"}]
    assert state.accounts["new.example"].owner == "omar"
    (back,) = chosen(of(account_key="new.example"), by(f"owner: kim, {EVERYBODY}"), state, at=NOON + timedelta(days=2))
    assert (back["owner"], back["authority"]) == ("omar", "existing_owner")


def test_a_rule_whose_people_are_away_gone_or_inactive_leaves_the_lead_to_the_next() -> None:
    rules = by(*(f"owner: {person}, when: {{country_code: DE}}" for person in ("omar", "theo", "lea")), f"pool: both, {EVERYBODY}")
    (row,) = chosen(of(country_code="DE"), rules)
    assert (row["owner"], row["territory"]) == ("nina", "rule-4")
    assert row["passed_over"] == [
        {"who": "omar", "why": "is away until 2026-11-03"},
        {"who": "theo", "why": "is not active"},
        {"who": "lea", "why": "has left"},
    ]


def test_everybody_absent_comes_to_the_fallback_and_says_so() -> None:
    rows = chosen(of(6), by(f"pool: gone, {EVERYBODY}"))
    # The pool's otherwise: a team of which kim takes two and pat three, and then nobody is left but the desk.
    assert [row["owner"] for row in rows] == ["kim", "pat", "kim", "pat", "pat", "desk"]
    assert [row["team"] for row in rows] == ["west"] * 5 + [None]
    last = rows[-1]
    assert (last["authority"], last["fallback"], last["reason"]) == ("fallback", True, "no territory takes this lead (country unknown)")
    assert [each["why"] for each in last["passed_over"]] == [
        "is away until 2026-11-03",
        "is not active",
        "full: 2 leads today",
        "full: 3 open leads",
    ]


def test_capacity_of_a_day_is_the_owners_day_and_open_leads_end_after_a_time() -> None:
    rules = by(f"owner: kim, {EVERYBODY}", more="open_for: 2d\n")
    state = Rehearsal()
    assert [row["owner"] for row in chosen(of(3), rules, state)] == ["kim", "kim", "desk"]
    tomorrow = routable({"lead_id": "next", "account_key": "next.example"})
    assert [row["owner"] for row in chosen(tomorrow, rules, state, at=NOON + timedelta(hours=11))] == ["desk"]
    assert [
        row["owner"]
        for row in chosen(routable({"lead_id": "n2", "account_key": "n2.example"}), rules, state, at=NOON + timedelta(hours=13))
    ] == ["kim"]
    full = by(f"owner: pat, {EVERYBODY}", more="open_for: 2d\n")
    state = Rehearsal()
    assert Counter(row["owner"] for row in chosen(of(5), full, state)) == {"pat": 3, "desk": 2}
    later = routable({"lead_id": "n3", "account_key": "n3.example"})
    assert chosen(later, full, state, at=NOON + timedelta(days=1))[0]["owner"] == "desk"
    later = routable({"lead_id": "n4", "account_key": "n4.example"})
    assert chosen(later, full, state, at=NOON + timedelta(days=3))[0]["owner"] == "pat"


def test_a_named_account_of_letters_beyond_ascii_is_found_by_its_key() -> None:
    rules = table(
        BASE.replace("[big.example]", "[MÜNCHEN-bau.example]").replace("territories:", "territories: []") + "fallback_owner: desk\n"
    )
    lead = routable({"account_key": "xn--mnchen-bau-9db.example"})
    assert [(row["owner"], row["authority"]) for row in chosen(lead, rules)] == [("nina", "named_account")]


def test_in_a_replay_too_a_lead_that_has_ended_is_open_no_longer() -> None:
    rules = by(f"owner: pat, {EVERYBODY}")
    at = [NOON] * 3 + [NOON + timedelta(hours=hours) for hours in (1, 2, 3)]
    closed = [NOON + timedelta(hours=2), *[None] * 5]
    routed = Rehearsal().route(Chooser(rules, "", match(of(6), rules)), at, closed)
    assert routed["owner"].to_list() == ["pat", "pat", "pat", "desk", "pat", "desk"]


def test_pools_take_turns_by_weight_or_give_to_whoever_has_least() -> None:
    more = """pools:
  - {id: weighted, order: weighted, members: {nina: 3, desk: 1}}
  - {id: least, order: least_loaded, members: [nina, desk, kim]}
"""
    text = BASE.replace("pools:\n", more, 1)
    weighted = table(f"{text}  - {{name: r, pool: weighted, {EVERYBODY}}}\nfallback_owner: desk\n")
    assert Counter(row["owner"] for row in chosen(of(8), weighted)) == {"nina": 6, "desk": 2}
    least = table(f"{text}  - {{name: r, pool: least, {EVERYBODY}}}\nfallback_owner: desk\n")
    state = Rehearsal({f"company-{n}.example": held("nina") for n in range(1, 4)})
    assert Counter(row["owner"] for row in chosen(of(9), least, state)) == {"nina": 4, "desk": 3, "kim": 2}


def test_turns_go_on_in_the_next_transaction() -> None:
    rules, state = by(f"team: west, {EVERYBODY}"), Rehearsal()
    first = chosen(of(1), rules, state)
    second = chosen(routable({"lead_id": "n", "account_key": "n.example"}), rules, state)
    assert [first[0]["owner"], second[0]["owner"]] == ["kim", "pat"]


@pytest.mark.parametrize(("action", "path"), [("nurture: true", "nurture"), ("hold: true", "hold"), ("nurture: nina", "nurture")])
def test_nurture_and_hold_give_the_lead_to_somebody_to_keep_and_the_account_to_nobody(action: str, path: str) -> None:
    state = Rehearsal()
    (row,) = chosen(of(path="route"), by(f"{action}, {EVERYBODY}", more="sla: {warm: 1h}\n"), state)
    assert (row["path"], row["owner"], row["authority"]) == (path, "nina" if "nina" in action else "desk", "rule")
    assert state.accounts == {}


def test_the_path_is_the_scores_unless_a_rule_says_more() -> None:
    rules = by("nurture: true, when: {path: nurture}", f"owner: nina, {EVERYBODY}")
    rows = chosen(routable({"path": "nurture"}, {"path": "manual_review"}, {"path": "route"}), rules)
    assert [(row["path"], row["owner"]) for row in rows] == [("nurture", "desk"), ("manual_review", "nina"), ("route", "nina")]


@pytest.mark.parametrize(
    ("when", "lead", "crm", "met"),
    [
        ("named_account: yes", {"account_key": "away.example"}, None, True),
        ("named_account: true", {"account_key": "small.example"}, None, False),
        ("named_account: no", {"account_key": "small.example"}, None, True),
        ("customer: yes", {}, InCrm(None, True), True),
        ("customer: yes", {}, InCrm(None, False), False),
        ("customer: no", {}, InCrm(None, False), True),
        ("customer: yes", {}, None, False),
        ("customer: {known: false}", {}, None, True),
        ("existing_owner: {known: false}", {}, None, True),
        ("existing_owner: omar", {}, InCrm("omar", None), True),
        ("segment: large", {"headcount_min": 500}, None, True),
        ("segment: large", {"headcount_min": 5}, None, False),
        ("segment: small", {"headcount_min": 5, "email_kind": "business"}, None, True),
        ("segment: {known: false}", {"headcount_min": 5}, None, True),
        ("path: [route]", {"path": "nurture"}, None, False),
        ("city: Berlin", {"city": "berlin "}, None, True),
        ("city: {known: true}", {}, None, False),
        ("loan_amount_requested: {known: true}", {"loan_amount_requested": 5.0}, None, True),
        ("submitted_at: {known: true}", {"submitted_at": NOON}, None, True),
        ("possible_duplicates: {known: false}", {"possible_duplicates": ["x"]}, None, False),
        ("possible_duplicates: [X]", {"possible_duplicates": ["y", "x"]}, None, True),
        ("region: {known: false}", {}, None, True),
        ("country_code: {known: true}", {"country_code": "DE"}, None, True),
    ],
)
def test_every_kind_of_condition(when: str, lead: dict[str, Any], crm: InCrm | None, met: bool) -> None:
    segments = "segments: {large: {headcount: {min: 100}}, small: {headcount: {max: 99}, email_kind: business}}\n"
    rules = by(f"owner: nina, when: {{{when}}}", more=segments)
    leads = routable({"account_key": "acme.example"} | lead, asked=tuple(rules.asked()))
    state = Rehearsal(crm={leads["account_key"].item(): crm} if crm else {})
    (row,) = chosen(leads, rules, state)
    assert (row["territory"] == "rule-1") == met
    if row["authority"] in ("rule", "fallback"):
        assert [each["met"] for each in on_the_way(row, rules)] == [met]


def test_what_a_stranger_typed_or_is_private_is_kept_only_where_the_table_names_it() -> None:
    rules = by("owner: nina, when: {source: [Trade fair], email_normalized: [vip@acme.example]}", f"owner: desk, {EVERYBODY}")
    leads = routable(
        {"source": "trade FAIR", "email_normalized": "vip@acme.example"},
        {"source": "<script>", "email_normalized": "jane@acme.example"},
        asked=tuple(rules.asked()),
    )
    facts = [row["facts"] for row in chosen(leads, rules)]
    assert facts == [
        {"source": "Trade fair", "email_normalized": "vip@acme.example", "tier": "warm"},
        {"source": "other", "email_normalized": "other", "tier": "warm"},
    ]


def test_each_condition_on_the_way_is_shown_with_the_leads_value() -> None:
    rules = by("owner: nina, when: {region: DACH, score: {min: 60}}", "pool: both, when: {score: {min: 40}}", f"owner: desk, {EVERYBODY}")
    (row,) = chosen(of(country_code="DE", score=55.0), rules)
    assert on_the_way(row, rules) == [
        {
            "rule": "rule-1",
            "goes_to": "owner nina",
            "met": False,
            "conditions": [
                {"field": "region", "wants": "in DACH", "value": "DE", "met": True},
                {"field": "score", "wants": ">= 60", "value": "55", "met": False},
            ],
        },
        {
            "rule": "rule-2",
            "goes_to": "pool both",
            "met": True,
            "conditions": [{"field": "score", "wants": ">= 40", "value": "55", "met": True}],
        },
    ]


def test_an_answer_is_due_by_tier_or_by_the_rule_in_the_owners_time() -> None:
    text = BASE.replace("{id: nina, name: Nina,", "{id: nina, name: Nina, hours: mon-fri 09:00-17:00, timezone: Europe/Berlin,")
    rules = table(
        f"{text}  - {{name: fast, owner: nina, sla: 30m, when: {{country_code: DE}}}}\n  - {{name: all, owner: nina, {EVERYBODY}}}\n"
        "fallback_owner: desk\nsla: {hot: 1h, warm: 8h}\n"
    )
    leads = routable({"tier": "hot"}, {"tier": "warm"}, {"tier": "cold"}, {"country_code": "DE"})
    due = Rehearsal().route(Chooser(rules, "", match(leads, rules)), [datetime(2026, 11, 2, 15, tzinfo=UTC)] * 4)["due_at"].to_list()
    assert due == [
        datetime(2026, 11, 2, 16, tzinfo=UTC),
        datetime(2026, 11, 3, 15, tzinfo=UTC),
        None,
        datetime(2026, 11, 2, 15, 30, tzinfo=UTC),
    ]


def test_an_explanation_is_at_most_a_kilobyte() -> None:
    people = "".join(f"  - {{id: person-{n:03}, name: P, absent: [{{from: 2026-11-01, to: 2026-12-01}}]}}\n" for n in range(60))
    members = ", ".join(f"person-{n:03}" for n in range(60))
    many = table(
        f"owners:\n{people}  - {{id: desk, name: Desk}}\npools: [{{id: all, members: [{members}]}}]\n"
        f"territories: [{{name: t, pool: all, {EVERYBODY}}}]\nfallback_owner: desk\n"
    )
    (row,) = chosen(of(country_code="DE"), many)
    assert row["passed_over"][-1] == {"who": "52 more", "why": "see the routing table"}
    assert len(orjson.dumps({key: row[key] for key in ("facts", "passed_over", "reason", "rule", "authority", "table")})) <= 1024


@pytest.mark.parametrize(("country", "reason"), [(None, "country unknown"), ("FR", "country FR")])
def test_a_lead_without_a_country_that_rules_know_has_the_fallback(country: str | None, reason: str) -> None:
    (row,) = chosen(of(country_code=country), by("owner: nina, when: {region: DACH}"))
    assert (row["owner"], row["reason"]) == ("desk", f"no territory takes this lead ({reason})")


def test_a_plain_table_of_mailboxes_by_country() -> None:
    plain = table(json.dumps({"US": "us@our.example", "de": "DACH@our.example", "DEFAULT": "desk@our.example"}))
    rows = chosen(routable({"country_code": "US"}, {"country_code": "DE"}, {"country_code": "FR"}, {}), plain)
    assert [row["owner"] for row in rows] == ["us@our.example", "dach@our.example", "desk@our.example", "desk@our.example"]
    assert [row["territory"] for row in rows] == ["US", "DE", "fallback", "fallback"]


PEOPLE = st.fixed_dictionaries(
    {
        "active": st.booleans(),
        "left": st.booleans(),
        "away": st.booleans(),
        "per_day": st.none() | st.integers(1, 3),
        "open": st.none() | st.integers(1, 3),
    }
)
RULES = st.lists(
    st.tuples(st.sampled_from(["owner", "team", "pool", "weighted", "least"]), st.integers(0, 4), st.sampled_from(["DE", "US", "FR"])),
    max_size=4,
)
LEADS = st.lists(st.tuples(st.sampled_from(["DE", "US", "FR", None]), st.integers(0, 9)), min_size=1, max_size=12)


def _never_to_somebody_who_cannot(
    people: list[dict[str, Any]], rules: list[tuple[str, int, str]], leads: list[tuple[str | None, int]], known: int
) -> None:
    ids = [f"p{n}" for n in range(len(people))]
    owners = [
        {
            "id": name,
            "name": name,
            "active": each["active"],
            "left": each["left"],
            "absent": [{"from": date(2026, 11, 1), "to": date(2026, 11, 3)}] if each["away"] else [],
            "capacity": {key: each[key] for key in ("per_day", "open") if each[key]} or None,
        }
        for name, each in zip(ids, people, strict=True)
    ]
    made = RoutingTable.model_validate(
        {
            "owners": [*owners, {"id": "desk", "name": "desk"}],
            "teams": [{"id": "team", "name": "team", "members": ids}],
            "pools": [
                {"id": "pool", "members": ids, "otherwise": "team"},
                {"id": "weighted", "order": "weighted", "members": {name: n + 1 for n, name in enumerate(ids)}},
                {"id": "least", "order": "least_loaded", "members": ids},
            ],
            "territories": [
                {"name": str(n), "when": {"country_code": [country]}, **_action(kind, ids[who % len(ids)])}
                for n, (kind, who, country) in enumerate(rules)
            ],
            "fallback_owner": "desk",
        }
    )
    accounts = {f"a{n}.example": held(ids[n % len(ids)]) for n in range(known)}
    frame = routable(*({"country_code": country, "account_key": f"a{account}.example"} for country, account in leads))
    rows = chosen(frame, made, Rehearsal(accounts))
    assert len(rows) == len(leads)
    counted = Counter(row["owner"] for row in rows)
    for name, each in zip(ids, people, strict=True):
        if not each["active"] or each["left"] or each["away"]:
            assert counted[name] == 0
        for most in (each["per_day"], each["open"]):
            assert most is None or counted[name] <= most


def _action(kind: str, person: str) -> dict[str, str]:
    return {"owner": person} if kind == "owner" else {"team": "team"} if kind == "team" else {"pool": kind}


@settings(max_examples=60, deadline=None)
@given(st.lists(PEOPLE, min_size=1, max_size=5), RULES, LEADS, st.integers(0, 6))
def test_no_absent_departed_or_full_person_gets_a_lead(
    people: list[dict[str, Any]], rules: list[tuple[str, int, str]], leads: list[tuple[str | None, int]], known: int
) -> None:
    _never_to_somebody_who_cannot(people, rules, leads, known)


@pytest.mark.slow
@settings(max_examples=ROSTERS_TRIED, deadline=None)
@given(st.lists(PEOPLE, min_size=1, max_size=5), RULES, LEADS, st.integers(0, 6))
def test_in_thousands_of_random_rosters_none_does(
    people: list[dict[str, Any]], rules: list[tuple[str, int, str]], leads: list[tuple[str | None, int]], known: int
) -> None:
    _never_to_somebody_who_cannot(people, rules, leads, known)

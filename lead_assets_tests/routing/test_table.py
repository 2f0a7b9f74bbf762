"""A wrong routing table is refused, with an error that says where and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead_assets.core.document import RulesError
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.routing.table import load_routing_table
from lead_assets_tests.routing.frames import table

GOOD = """\
regions:
  DACH: [DE, AT, CH]
  West: [US-CA, US-OR]
owners:
  - {id: nina, name: Nina}
  - {id: theo, name: Theo, active: false}
  - {id: desk, name: Desk}
territories:
  - name: bridge
    owner: desk
    when: {loan_type: bridge_rtl, loan_amount_requested: {min: 100000}}
  - name: dach
    owner: nina
    when: {region: DACH}
fallback_owner: desk
"""


def refused(old: str, new: str) -> str:
    assert old in GOOD
    with pytest.raises(RulesError) as error:
        table(GOOD.replace(old, new, 1))
    return str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "owner: nina",
            "owner: nian",
            "routing.yaml line 13: territory 'dach': unknown owner 'nian' (did you mean 'nina'?): add it under owners",
        ),
        ("fallback_owner: desk", "fallback_owner: dusk", "routing.yaml line 15: unknown owner 'dusk' (did you mean 'desk'?)"),
        (
            "fallback_owner: desk",
            "fallback_owner: theo",
            "line 15: 'theo' is not active, so leads that no territory matches would have no owner",
        ),
        ("fallback_owner: desk", "", "'fallback_owner' is missing: name the owner of leads that no territory matches"),
        (
            "region: DACH",
            "regoin: DACH",
            "line 14: territory 'dach': unknown field 'regoin' (did you mean 'region'?); known fields: adapter,",
        ),
        ("region: DACH", "region: DAHC", "line 14: territory 'dach': unknown region 'DAHC' (did you mean 'DACH'?)"),
        ("region: DACH", "country_code: [UK]", "line 14: territory 'dach': unknown country_code 'UK': write the ISO 3166 code"),
        ("region: DACH", "country_code: 49", "line 14: territory 'dach': not a list"),
        ("{region: DACH}", "\n      tier: hot\n      regoin: DACH", "line 16: territory 'dach': unknown field 'regoin'"),
        ("region: DACH", "tier: [hott]", "unknown tier 'hott' (did you mean 'hot'?); known: cold, hot, warm"),
        ("region: DACH", "score: [80]", "line 14: territory 'dach': not text: put the value in quotes"),
        ("region: DACH", "score: ['80']", "score is a number: write {min"),
        ("region: DACH", "country_code: {min: 3}", "country_code is text: write a list of values"),
        ("when: {region: DACH}", "when: {}", "line 14: territory 'dach':"),
        ("{min: 100000}", "{}", "line 11: territory 'bridge': give min, max or both"),
        ("{min: 100000}", "{min: 9, max: 1}", "line 11: territory 'bridge': min 9 is above max 1"),
        ("{min: 100000}", "{mni: 9}", "unknown key 'mni'"),
        ("[DE, AT, CH]", "[DE, UK]", "line 2: 'UK' is not an ISO 3166 code"),
        ("[DE, AT, CH]", "[DE, at, CH]", "line 2: 'at' is not an ISO 3166 code"),
        ("[US-CA, US-OR]", "[US-CA, US-ZZ]", "line 3: 'US-ZZ' is not an ISO 3166 code"),
        (
            "active: false",
            "actve: false",
            "line 6: owner 'theo': unknown key 'actve' (did you mean 'active'?): correct or remove it; known: absent, active,",
        ),
        ("- {id: desk,", "- {id: nina,", "line 7: owner 'nina': owner 'nina' is declared twice"),
        ("name: dach", "name: bridge", "line 12: territory 'bridge': territory 'bridge' is declared twice"),
        ("  DACH: [", "  West: [DE]\n  DACH: [", "line 4: the key 'West' occurs twice, here and on line 2: merge the two"),
        ("[DE, AT, CH]", "[DE, AT, CH", "routing.yaml line 2: cannot be read: the [ opened here is not closed"),
    ],
)
def test_a_wrong_table_is_refused_with_the_place_and_the_next_step(old: str, new: str, said: str) -> None:
    assert said in refused(old, new)


def test_every_mistake_is_said_at_once() -> None:
    said = refused("owner: nina\n    when: {region: DACH}", "owner: nian\n    when: {regoin: DACH, tier: hott}")
    assert [line.split(": ")[2] for line in said.splitlines()] == [
        "unknown owner 'nian' (did you mean 'nina'?)",
        "unknown field 'regoin' (did you mean 'region'?); known fields",
        "unknown tier 'hott' (did you mean 'hot'?); known",
    ]


@pytest.mark.parametrize(
    ("earlier", "later", "reachable"),
    [
        ("{region: DACH}", "{region: DACH}", False),
        ("{region: DACH}", "{region: DACH, tier: hot}", False),
        ("{region: DACH}", "{country_code: [AT]}", False),
        ("{country_code: US}", "{region: West}", False),
        ("{region: America}", "{region: West}", False),
        ("{region: West}", "{region: America}", True),
        ("{tier: [hot, warm]}", "{tier: hot}", False),
        ("{source: Webinar}", "{source: webinar}", False),
        ("{score: {min: 50}}", "{score: {min: 70, max: 90}}", False),
        ("{score: {min: 50}}", "{score: {min: 50}}", False),
        ("{score: {max: 90}}", "{score: {max: 80}}", False),
        ("{score: {max: 90}}", "{score: {min: 50, max: 90}}", False),
        ("{score: {min: 50}}", "{score: {min: 40}}", True),
        ("{score: {max: 80}}", "{score: {max: 90}}", True),
        ("{score: {min: 50, max: 90}}", "{score: {min: 60}}", True),
        ("{score: {min: 50, max: 90}}", "{score: {max: 90}}", True),
        ("{region: DACH, tier: hot}", "{region: DACH}", True),
        ("{region: West}", "{country_code: US}", True),
        ("{country_code: AT}", "{region: DACH}", True),
        ("{tier: hot}", "{tier: [hot, warm]}", True),
        ("{score: {min: 50}}", "{score: {max: 90}}", True),
        ("{score: {min: 50}}", "{tier: hot}", True),
    ],
)
def test_a_territory_that_an_earlier_one_leaves_nothing_is_refused(earlier: str, later: str, reachable: bool) -> None:
    head = GOOD[: GOOD.index("territories:")].replace("  West:", "  America: [US, CA]\n  West:")
    text = f"{head}territories:\n- {{name: one, owner: nina, when: {earlier}}}\n- {{name: two, owner: desk, when: {later}}}\nfallback_owner: desk\n"
    if reachable:
        assert [territory.name for territory in table(text).territories] == ["one", "two"]
    else:
        with pytest.raises(RulesError, match="territory 'two': can never match: 'one' above it takes all its leads"):
            table(text)
    # A rule whose owner may be away or full leaves some, and an inactive one everything.
    for narrower in ("owner: theo", "team: both", "pool: turns"):
        groups = "teams: [{id: both, name: Both, members: [nina]}]\npools: [{id: turns, members: [nina, desk]}]\n"
        assert len(table(groups + text.replace("owner: nina", narrower, 1)).territories) == 2
    assert len(table(text.replace("name: Nina}", "name: Nina, capacity: {per_day: 5}}")).territories) == 2


def test_a_territory_that_several_leave_nothing_is_named_once_with_the_first_of_them() -> None:
    said = refused(
        "- name: dach\n",
        "- {name: big, owner: nina, when: {tier: hot}}\n  - {name: hot, owner: nina, when: {tier: hot, score: {min: 9}}}\n"
        "  - {name: last, owner: nina, when: {tier: hot, score: {min: 10}}}\n  - name: dach\n",
    )
    assert [line.split(": ", 1)[1].split(": move")[0] for line in said.splitlines()] == [
        "territory 'hot': can never match: 'big' above it takes all its leads",
        "territory 'last': can never match: 'big' above it takes all its leads",
    ]


def test_norway_and_ontario_are_not_booleans() -> None:
    loaded = table(GOOD.replace("region: DACH", "country_code: [NO], state_code: [ON]"))
    assert loaded.territories[1].rule == "country_code in NO; state_code in ON"


def test_the_shipped_table_is_good() -> None:
    loaded = load_routing_table(Settings(routing_json=None, rules_dir=None))
    assert loaded.fallback_owner == "inbound-desk"
    assert loaded == table(rules_file("routing.yaml", Settings(rules_dir=None)).read_text(encoding="utf-8"))


SMALL = {"owners": [{"id": "solo", "name": "Solo"}], "fallback_owner": "solo"}


def test_routing_json_replaces_the_table_inline_or_by_path(tmp_path: Path) -> None:
    by_path = tmp_path / "table.json"
    by_path.write_text(json.dumps(SMALL, indent="\t"), encoding="utf-8")
    for value in (json.dumps(SMALL), str(by_path)):
        loaded = load_routing_table(Settings(routing_json=value, rules_dir=None))
        assert (loaded.fallback_owner, loaded.territories) == ("solo", ())


def test_a_wrong_routing_json_is_named_by_its_variable(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="ROUTING_JSON line 1: unknown owner 'b'"):
        load_routing_table(Settings(routing_json='{"owners": [{"id": "a", "name": "A"}], "fallback_owner": "b"}'))
    with pytest.raises(RulesError, match=r"ROUTING_JSON is neither a JSON object nor the path of a readable file .*gone\.json"):
        load_routing_table(Settings(routing_json=str(tmp_path / "gone.json")))
    with pytest.raises(RulesError, match="ROUTING_JSON line 1: cannot be read: the file ends before a bracket"):
        load_routing_table(Settings(routing_json='{"owners": ['))


def test_a_rules_folder_replaces_the_shipped_table_only_if_it_holds_one(tmp_path: Path) -> None:
    assert load_routing_table(Settings(routing_json=None, rules_dir=tmp_path)).fallback_owner == "inbound-desk"
    (tmp_path / "routing.yaml").write_text(json.dumps(SMALL), encoding="utf-8")
    assert load_routing_table(Settings(routing_json=None, rules_dir=tmp_path)).fallback_owner == "solo"


PEOPLE = """\
owners:
  - {id: nina, name: Nina, email: nina@our.example}
  - {id: omar, name: Omar}
  - {id: desk, name: Desk}
teams:
  - {id: west, name: West, members: [nina, omar]}
pools:
  - {id: turns, members: [nina, omar], otherwise: west}
named_accounts:
  - {accounts: acme.example, to: nina}
territories:
  - {name: all, pool: turns, when: {tier: hot}}
fallback_owner: desk
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "members: [nina, omar]}\n",
            "members: [nian, omar]}\n",
            "line 6: team 'west': unknown owner 'nian' (did you mean 'nina'?): add it under owners",
        ),
        ("pool: turns", "team: wset", "line 12: territory 'all': unknown team 'wset' (did you mean 'west'?): add it under teams"),
        ("pool: turns", "pool: west", "line 12: territory 'all': unknown pool 'west': add it under pools"),
        ("members: [nina, omar], otherwise", "team: east, otherwise", "line 8: pool 'turns': unknown team 'east'"),
        ("[nina, omar], otherwise", "[nina, nina], otherwise", "names somebody twice: remove one"),
        ("otherwise: west", "otherwise: wets", "unknown owner, team or pool 'wets' (did you mean 'west'?): add it, or correct the name"),
        ("to: nina", "to: nian", "line 10: unknown owner, team or pool 'nian'"),
        (
            "  - {accounts: acme",
            "  - {accounts: ACME.example, to: omar}\n  - {accounts: acme",
            "account 'acme.example' is named twice, for 'omar' too",
        ),
        (
            "accounts: acme.example",
            "accounts: https://acme.example/",
            "'https://acme.example/' is no account: write its domain alone, such as acme.com",
        ),
        ("accounts: acme.example", "accounts: [www.acme.example]", "'www.acme.example' is no account"),
        ("accounts: acme.example", "accounts: jane@acme.example", "'jane@acme.example' is no account"),
        (
            "name: Omar}",
            "name: Omar, email: Nina@our.example}",
            "line 3: owner 'omar': 'nina' and 'omar' have the same address: nobody could tell whose a lead is; correct or remove one",
        ),
        (
            "name: Omar}",
            "name: Omar, capacity: {per_day: 0}}",
            "line 3: owner 'omar': per_day is 0: nobody can be given that; write at least 1, or active: false",
        ),
        ("name: Omar}", "name: Omar, capacity: {}}", "give per_day, open or both, or leave capacity out for no limit"),
        (
            "name: Omar}",
            "name: Omar, timezone: Berlin}",
            "'Berlin' is not a time zone: write its name in the IANA database, such as Europe/Berlin",
        ),
        ("name: Omar}", "name: Omar, hours: 9 to 5}", "'9 to 5' is not working hours: write days and times such as 'mon-fri 09:00-17:00'"),
        (
            "name: Omar}",
            "name: Omar, absent: [{from: 2026-12-24, to: 2026-12-20}]}",
            "ends before it begins: write from 2026-12-20 to 2026-12-24",
        ),
        ("name: Omar}", "name: Omar, absent: [{from: Christmas, to: 2026-12-20}]}", "'Christmas' is not a day: write it as 2026-12-24"),
        (
            "members: [nina, omar]}\n",
            "members: [nina, omar], otherwise: turns}\n",
            "line 6: team 'west': goes round in a circle (west → turns → west), so a lead would find nobody: let one of them end with an owner",
        ),
        (
            "fallback_owner: desk",
            "fallback_owner: turns",
            "if everybody in 'west' is away or full, its leads would have no owner: add otherwise: <owner> to it",
        ),
        (
            "name: Desk}",
            "name: Desk, capacity: {per_day: 5}}",
            "'desk' has a capacity, so leads that nobody else can take would have no owner",
        ),
        ("name: Desk}", "name: Desk, left: true}", "'desk' is not active, so leads that no territory matches would have no owner"),
        ("pool: turns", "pool: turns, owner: nina", "says where leads go twice: give exactly one of owner, team, pool, nurture, hold"),
        ("pool: turns, ", "", "says where leads go nowhere: give exactly one of owner, team, pool, nurture, hold"),
        ("pool: turns", "hold: nian", "unknown owner 'nian'"),
        (
            "members: [nina, omar], otherwise",
            "members: {nina: 2}, otherwise",
            "members with weights need order: weighted; for round_robin write them as a list",
        ),
        ("members: [nina, omar], otherwise", "order: weighted, members: [nina], otherwise", "order: weighted needs members as id: weight"),
        ("id: turns", "id: nina", "'nina' is also an owner: give one of them another id"),
        ("{tier: hot}", "{submitted_at: today}", "submitted_at is neither text nor a number: write {known: true} or {known: false}"),
        ("{tier: hot}", "{customer: maybe}", "unknown customer 'maybe'; known: no, yes"),
        ("territories:", "segments: {big: {customer: yes}}\nterritories:", "a segment cannot ask for customer"),
    ],
)
def test_mistakes_about_people_teams_and_pools(old: str, new: str, said: str) -> None:
    assert old in PEOPLE
    with pytest.raises(RulesError) as error:
        table(PEOPLE.replace(old, new, 1))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"US": "us@our.example"}', "DEFAULT is missing: add DEFAULT: <mailbox>"),
        ('{\n"UX": "us@our.example", "DEFAULT": "d@our.example"}', "line 2: unknown country 'UX': write its ISO 3166 code"),
        ('{"US": "us",\n"DEFAULT": "d@our.example"}', "line 1: the value for US is not a mailbox"),
    ],
)
def test_mistakes_in_a_plain_table(text: str, said: str) -> None:
    with pytest.raises(RulesError) as error:
        table(text)
    assert said in str(error.value)

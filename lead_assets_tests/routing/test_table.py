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

"""Shapes as real sources send them: each documented wire format ends up in its columns, and a new one takes only a declaration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lead_assets.core.limits import DropLimits
from lead_assets.core.settings import Settings
from lead_assets.intake.adapters import Adapters, adapters_of, shipped_adapters
from lead_assets.intake.drops import Drops, read_drops
from lead_assets.intake.ingest import ingest
from lead_assets.intake.parsed import ParsedDrops
from lead_assets.intake.paths import path
from lead_assets.intake.read import read_campaigns
from lead_assets.intake.shapes import load_shapes
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects.folder import Folder
from lead_assets_tests.conservation import of_payloads
from lead_assets_tests.intake.samples import INBOUND, LENDING, LIMIT, NOON, codes, lead, ndjson, read

FIXTURES = Path(__file__).parents[2] / "fixtures" / "shapes"
EXPECTED: dict[str, Any] = yaml.safe_load((FIXTURES / "expected.yaml").read_text(encoding="utf-8"))
CAFE = """
shapes:
  cafe:
    what: The booking system of a chain of cafés
    verified: by its own handbook, page 12
    when: {has: [reservation.guest], values: {kind: booking}}
    each: reservation.tables[]
    id: reservation.tables[].number
    id_prefix: cafe
    answers: [reservation.guest, {at: "reservation.tables[].asked[]", name: q, value: a}]
    questions: {company_size: ["Wie viele Filialen haben Sie?"]}
    fields: {submitted_at: {at: reservation.at, as: epoch}, source: reservation.channel}
    set: {country: AT}
    test: {reservation.guest.email: "*@cafe-test.example"}
    profile: lending
    dates: day_first
"""
BOOKING = {
    "kind": "booking",
    "reservation": {
        "at": 1793700000,
        "channel": "walk-in",
        "guest": {"E-Mail": "mitzi@strudel.example", "Firma": "Strudel OG", "hat": "red"},
        "tables": [
            {"number": 7, "asked": [{"q": "Wie viele Filialen haben Sie?", "a": "12"}]},
            {"number": 8, "asked": [{"q": "Zucker?", "a": "nein"}, {"q": "Funktion", "a": "Chefin"}]},
        ],
    },
}


def with_own(folder: Path, **files: str) -> Adapters:
    own = folder / "rules" / "shapes"
    own.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (own / f"{name}.yaml").write_text(text, encoding="utf-8")
    return adapters_of(Settings(rules_dir=folder / "rules"))


def read_with(adapters: Adapters, *payloads: Any) -> Drops:
    return read_drops([(ndjson(*payloads), {})], limits=DropLimits(LIMIT), adapters=adapters)


def test_every_fixture_has_its_expectation() -> None:
    assert sorted(EXPECTED) == sorted(file.name for file in FIXTURES.iterdir() if file.name != "expected.yaml")


@pytest.mark.parametrize("file", sorted(EXPECTED))
def test_a_documented_payload_lands_in_its_columns(file: str) -> None:
    drop = read((FIXTURES / file).read_bytes())

    assert drop.rejects["code"].to_list() == EXPECTED[file]["rejects"]
    assert drop.leads.height == len(EXPECTED[file]["leads"])
    for row, expected in zip(drop.leads.iter_rows(named=True), EXPECTED[file]["leads"], strict=True):
        found = {key: f"{row[key]:%Y-%m-%dT%H:%M:%S.%f}" if key == "submitted_at" and row[key] else row[key] for key in row}
        wanted = expected | ({"submitted_at": None} if "submitted_at" not in expected else {})
        if wanted["submitted_at"]:
            wanted["submitted_at"] = f"{NOON.fromisoformat(wanted['submitted_at']):%Y-%m-%dT%H:%M:%S.%f}"
        assert {key: found[key] for key in wanted} == wanted
        assert row["unread_fields"] is None


@pytest.mark.parametrize("file", [file for file in sorted(EXPECTED) if file.endswith(".json")])
def test_the_payload_is_kept_whole(file: str) -> None:
    sent = json.loads((FIXTURES / file).read_text(encoding="utf-8"))
    for row in read((FIXTURES / file).read_bytes()).leads.iter_rows(named=True):
        kept = json.loads(row["payload"])
        assert kept == sent or _holds(sent, kept) or row["adapter"] == "meta_page_webhook"


def _holds(sent: Any, kept: Any) -> bool:
    """Whether what was kept stands in what was sent: an entry of a batch."""
    inside = sent.values() if isinstance(sent, dict) else sent if isinstance(sent, list) else ()
    return any(item == kept or _holds(item, kept) for item in inside)


def test_of_a_page_with_many_leads_each_keeps_its_own_and_what_no_column_holds() -> None:
    first, second = read((FIXTURES / "meta_page_webhook.json").read_bytes()).leads.iter_rows(named=True)
    extra = json.loads(first["extra"])
    assert extra["hoeveel_vrachtwagens_heeft_u?"] == ["12", "meer dan 10"]
    assert extra["entry"][0]["changes"] == [
        {"field": "leadgen", "value": {"ad_id": "666", "adgroup_id": "666", "form_id": "555555555555", "page_id": "102030405060708"}}
    ]
    assert "bakker" not in first["payload"]
    assert "visser" not in second["payload"]


def test_every_shape_that_ships_says_what_was_verified_and_has_a_fixture() -> None:
    shapes = load_shapes(Settings(rules_dir=None))
    assert shapes.faults == ()
    used = {row["adapter"] for expected in EXPECTED.values() for row in expected["leads"]}
    leads = {name for name, shape in shapes.shapes.items() if shape.kind == "lead" and not shape.general}
    assert leads - used == set()
    assert [name for name in leads if not shapes.shapes[name].verified or "not yet" in shapes.shapes[name].verified] == []


def test_a_new_shape_is_a_declaration_and_no_line_of_code(tmp_path: Path) -> None:
    drop = read_with(with_own(tmp_path, cafe=CAFE), BOOKING, INBOUND)

    assert codes(drop) == []
    first, second, third = drop.leads.iter_rows(named=True)
    assert (first["adapter"], first["part"], second["part"], third["adapter"]) == ("cafe", 1, 2, "inbound_b2b")
    assert (first["lead_id"], first["email"], first["company"], first["company_size"]) == (
        "cafe:7",
        "mitzi@strudel.example",
        "Strudel OG",
        "12",
    )
    assert (second["lead_id"], second["title"], second["country"], second["source"]) == ("cafe:8", "Chefin", "AT", "walk-in")
    assert f"{first['submitted_at']:%Y-%m-%d %H:%M}" == "2026-11-03 10:00"
    assert first["implied_profile"] == "lending"
    assert json.loads(first["extra"]) == {"kind": "booking", "hat": "red"}
    assert json.loads(second["extra"]) == {"kind": "booking", "hat": "red", "Zucker?": "nein"}
    assert json.loads(second["payload"])["reservation"]["tables"] == BOOKING["reservation"]["tables"][1:]  # type: ignore[index]
    assert lead(INBOUND)["adapter"] == "inbound_b2b"


def test_a_sources_own_test_event_is_kept_and_never_a_lead(tmp_path: Path) -> None:
    booking = {**BOOKING, "reservation": {**BOOKING["reservation"], "guest": {"email": "probe@cafe-test.example"}, "tables": []}}  # type: ignore[dict-item]
    drop = read_with(with_own(tmp_path, cafe=CAFE), booking)
    assert (drop.leads.height, drop.rejects["code"].to_list()) == (0, ["test_event"])
    assert "probe@cafe-test.example" in drop.rejects["raw_text"].item()


def test_a_shape_of_ones_own_takes_the_place_of_one_that_ships(tmp_path: Path) -> None:
    mine = """
shapes:
  google_ads_lead_form:
    what: mine
    when: {has: [user_column_data]}
    id: gcl_id
    answers: [{at: "user_column_data[]", name: column_id, value: string_value}]
"""
    payload = json.loads((FIXTURES / "google_ads_lead_form.json").read_text(encoding="utf-8"))
    assert read_with(with_own(tmp_path, google=mine), payload).leads["lead_id"].to_list() == ["EAIaIQ"]


def test_a_payload_that_fits_two_shapes_is_told_with_both_names(tmp_path: Path) -> None:
    two = "shapes:\n  one: {what: one, when: {has: [a, b]}}\n  two: {what: two, when: {has: [b, c]}}\n  three: {what: three, when: {has: [a, b, c, d]}}\n"
    adapters = with_own(tmp_path, two=two)
    person = {"email": "a@acme.example"}
    drop = read_with(adapters, person | dict.fromkeys("ab", 1), person | dict.fromkeys("abc", 1), person | dict.fromkeys("abcd", 1))

    assert drop.leads["adapter"].to_list() == ["one", "three"]
    (reason,) = drop.rejects["reason"]
    assert drop.rejects["code"].to_list() == ["two_shapes"]
    assert all(word in reason for word in ("'one'", "'two'", "over"))
    settled = with_own(tmp_path, two=two.replace("two: {what", "two: {over: [one], what"))
    assert read_with(settled, person | dict.fromkeys("abc", 1)).leads["adapter"].to_list() == ["two"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("    when: {has: [a]}\n    feilds: {email: a}\n", "line 5: shape 'mine': unknown key 'feilds' (did you mean 'fields'?)"),
        ("    when: {has: [a]}\n    fields:\n      e_mail: a\n", "line 6: shape 'mine': unknown field 'e_mail' (did you mean 'email'?)"),
        ("    when: {has: ['a[b']}\n", "line 4: shape 'mine': 'a[b' is not a path"),
        ("", "line 2: shape 'mine': it does not say how to recognise it"),
        (
            "    when: {has: [a]}\n    gives: {technology: b}\n",
            "line 5: shape 'mine': no signal fills 'technology' (did you mean 'technologies'?)",
        ),
        ("    when: {has: [a]}\n    kind: notice\n", "line 2: shape 'mine': a notice without `advice`"),
        ("    when: {has: [a]}\n    kind: batch\n", "line 2: shape 'mine': a batch without `each`"),
        (
            "    when: {has: [a]}\n    over: [meta_leed]\n",
            "shape 'mine': over 'meta_leed', which is not a shape (did you mean 'meta_lead'?)",
        ),
        ("    when: [\n", "line 5: cannot be read"),
        ("    when: {has: [a]}\n    answers: [{at: b, prefix: '('}]\n", "line 5: shape 'mine': '(' is not a regular expression"),
    ],
)
def test_a_mistake_in_one_file_is_told_and_the_others_stay_in_force(tmp_path: Path, text: str, said: str) -> None:
    adapters = with_own(tmp_path, broken="shapes:\n  mine:\n    what: x\n" + text, cafe=CAFE)

    (fault,) = adapters.known.faults
    assert said in fault
    assert str(tmp_path / "rules" / "shapes" / "broken.yaml") in fault
    assert read_with(adapters, BOOKING).leads["adapter"].to_list() == ["cafe", "cafe"]


def test_received_is_good_and_rejected_where_a_payload_holds_many_and_whatever_the_shapes_are_later(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path / "archive"))
    page = (FIXTURES / "meta_page_webhook.json").read_bytes()
    ingest(archive, page, name="page", received_at=NOON, campaign="c")
    ingest(archive, ndjson(BOOKING, INBOUND), name="bookings", received_at=NOON, campaign="c")

    before = of_payloads(read_campaigns(archive, ["c"], parsed=ParsedDrops(Folder(tmp_path / "derived"), limits=DropLimits(LIMIT))))
    assert before.rows() == [("c", 6, 4, 2)], "who booked is found without a shape, as one lead"
    adapters = with_own(tmp_path, cafe=CAFE)
    parsed = ParsedDrops(Folder(tmp_path / "derived"), limits=DropLimits(LIMIT), adapters=adapters)
    after = read_campaigns(archive, ["c"], parsed=parsed, adapters=adapters)
    assert of_payloads(after).rows() == [("c", 7, 5, 2)]
    assert after.raw_leads.select("drop_sha256", "position", "part").is_unique().all()


def test_other_shapes_are_another_parser(tmp_path: Path) -> None:
    assert with_own(tmp_path, cafe=CAFE).digest != shipped_adapters().digest
    assert with_own(tmp_path, cafe="# a comment\n" + CAFE).digest == with_own(tmp_path, cafe=CAFE).digest


@pytest.mark.parametrize(
    "odd", [[], {}, "x", 7, None, True, [[]], [{}], [None], [{"field_data": {"name": []}}], {"value": {"field_data": "x"}}]
)
@pytest.mark.parametrize(
    "key",
    ["entry", "field_data", "user_column_data", "form_response", "payload", "properties", "data", "batch", "traits", "answers", "people"],
)
def test_a_list_where_an_object_belongs_costs_no_neighbour(key: str, odd: Any) -> None:
    payload = {
        key: odd,
        "object": "page",
        "id": "1",
        "lead_id": "2",
        "event_type": "form_response",
        "type": "identify",
        "email": "a@acme.example",
    }
    drop = read(ndjson(LENDING, payload, INBOUND))
    assert {1, 3} <= set(drop.leads["position"].to_list())
    assert drop.leads.height + drop.rejects.height >= 3


def test_ten_thousand_answers_and_questions_nobody_knows_are_kept() -> None:
    data = [{"name": f"question {number}?", "values": [f"answer {number}"]} for number in range(10_000)]
    row = lead({"id": "1", "field_data": [*data, {"name": "email", "values": ["a@acme.example"]}]})
    extra = json.loads(row["extra"])
    assert (row["email"], len(extra), extra["question 9999?"]) == ("a@acme.example", 10_000, "answer 9999")


def test_parts_that_make_one_text_are_one_answer_and_a_text_that_a_spreadsheet_protects_is_bare(tmp_path: Path) -> None:
    booth = """
shapes:
  booth:
    what: A phone booth
    when: {has: [ring.tone]}
    answers: [{at: ring.who, whole: [[country, area, phone]]}]
    fields: {source_campaign: {at: ring.tone, as: unprefixed}}
"""
    who = {"Telephone": {"phone": "555-0144", "area": "415", "country": ""}, "Name": {"first": "Ada", "last": "Byron"}}
    drop = read_with(with_own(tmp_path, booth=booth), {"ring": {"tone": '="18098"', "who": who}}, {"ring": {"tone": "'18098", "who": who}})
    assert drop.leads.select("phone", "first_name", "source_campaign").rows() == [("415 555-0144", "Ada", "18098")] * 2


def test_what_a_source_gives_is_kept_with_its_date_under_the_columns_that_signals_fill(tmp_path: Path) -> None:
    register = """
shapes:
  register:
    what: A register of companies
    when: {has: [register]}
    answers: [register]
    gives:
      technologies: "register.tools[]"
      company_region: {at: [register.town, register.land], together: true}
      funding_total_usd: {at: "register.funding (in 000s USD)", times: 1000}
      email_grade: {at: register.checked, words: {Yes: valid}, dated: register.checked_at}
      founded_year: register.year
"""
    entry = {
        "email": "a@acme.example",
        "tools": ["SAP", " ", "AWS"],
        "town": "Wien",
        "land": "Austria",
        "funding (in 000s USD)": "1,500",
        "checked": "YES",
        "checked_at": 1793700000,
        "year": " ",
    }
    adapters = with_own(tmp_path, register=register)
    payloads = {"register": entry}, {"register": {"email": "b@acme.example", "checked": "no"}}
    first, second = read_with(adapters, *payloads).leads["given"]
    assert second is None
    assert json.loads(first) == {
        "technologies": {"value": ["SAP", "AWS"], "as_of": None},
        "company_region": {"value": "Wien, Austria", "as_of": None},
        "funding_total_usd": {"value": 1_500_000.0, "as_of": None},
        "email_grade": {"value": "valid", "as_of": "2026-11-03T10:00:00+00:00"},
    }


def test_two_answers_of_one_name_are_both_kept() -> None:
    data = [{"name": "email", "values": ["a@acme.example"]}, {"name": "email", "values": ["b@acme.example"]}, {"name": "x", "values": []}]
    row = lead({"id": "1", "field_data": data})
    assert (row["email"], json.loads(row["extra"])) == ("a@acme.example", {"email_2": "b@acme.example", "x": None})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b", [1]), ("l[]", [{"k": "X", "v": 2}, {"k": "y", "v": 3}]), ("l[].v", [2, 3]), ("l[1].v", [3]), ("l[k=x].v", [2]), ("l[9].v", []),
        ("a.*", [1]), ('"a.b".c', [4]), ('"d[e]"', [5]), ("a[].b", [1]), ("l.v", []), ("a.b.c", []), ("nope", []),
        ("l[k=x][v=2].v", [2]), ("l[k=x][v=3].v", []), ("a[b=1].b", [1]),
    ],
)  # fmt: skip
def test_a_path_finds_what_it_says(text: str, found: list[Any]) -> None:
    payload = {"a": {"b": 1}, "l": [{"k": "X", "v": 2}, {"k": "y", "v": 3}], "a.b": {"c": 4}, "d[e]": 5}
    assert path(text).values(payload) == found
    assert [value for _, value in path(text).places(payload)] == found


@pytest.mark.parametrize("text", ["", "a..b", "a[", "a]", "a[x]", "a[=b]", "a.[b", '"a', "a[-1]"])
def test_what_is_no_path_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        path(text)

"""`lead-assets shapes` and what `ingest` shows: which column became what, what nobody knows, why something was refused, what to do next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead_assets_tests.conftest import Command

FIXTURES = Path(__file__).parents[2] / "fixtures" / "shapes"
FRENCH = "Nom;Prénom;Courriel;Société;Fonction;Compny size;Couleur\nDupont;Anne;anne@dupontvins.example;Dupont Vins;Directrice;12;bleu\n"


@pytest.fixture
def french(tmp_path: Path) -> Path:
    path = tmp_path / "prospects.csv"
    path.write_text(FRENCH + ";;;;;3;rouge\n", encoding="utf-8")
    return path


def test_ingest_shows_what_became_of_each_column_and_the_next_command(command: Command, french: Path) -> None:
    done = command("ingest", str(french), "--campaign", "c")

    assert done.code == 0
    for line in (
        "Nom → last_name",
        "Prénom → first_name",
        "Courriel → email",
        "Société → company",
        "Compny size → kept in extra (like company_size? --map 'Compny size=company_size')",
        "Couleur → kept in extra",
        "email 'anne@dupontvins.example'; first_name 'Anne'; last_name 'Dupont'",
        "rejected 1 no_identity: no e-mail, phone",
        "lead-assets run --campaign c",
    ):
        assert line in done.stdout, line


def test_what_is_shown_is_in_the_json_too(command: Command, french: Path) -> None:
    answer = command("ingest", str(french), "--campaign", "c", "--json").answer()
    (drop,), (reading,) = answer["drops"], answer["readings"]
    assert (drop["rows"], drop["rejected"], drop["codes"]) == (1, 1, {"no_identity": 1})
    (shape,) = reading["shapes"]
    assert (shape["shape"], shape["leads"], shape["fields"]["email"], shape["unknown"]["Compny size"]) == (
        "inbound_b2b",
        1,
        ["Courriel"],
        "company_size",
    )


def test_a_map_makes_a_column_count_and_ignore_makes_one_not(command: Command, french: Path) -> None:
    command("ingest", str(french), "--campaign", "c", "--map", "Compny size=company_size", "--map", "Fonction=ignore", "--json").answer()
    command("run", "--campaign", "c", "--select", "group:intake", "--json").answer()
    (row,) = json.loads(command("export", "intake.raw_leads", "--format", "json").stdout)
    assert (row["company_size"], row["title"]) == ("12", None)
    assert json.loads(row["extra"]) == {"Fonction": "Directrice", "Couleur": "bleu"}


def test_a_map_reaches_into_json(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "odd.json"
    path.write_text(json.dumps({"body": {"who": [{"kind": "home", "a": "x@gmail.com"}, {"kind": "work", "a": "x@acme.example"}]}}))
    refused = command("ingest", str(path), "--json")
    assert (refused.code, json.loads(refused.stdout)["drops"][0]["codes"]) == (1, {"no_identity": 1})
    done = command("ingest", str(path), "--map", "body.who[kind=work].a=email", "--map", "nope.x=phone", "--json")
    assert done.code == 0
    assert done.answer()["readings"][0]["shapes"][0]["sample"]["email"] == "x@acme.example"
    assert done.answer()["drops"][0]["unmapped"] == ["nope.x"]


def test_a_dry_run_shows_the_same_and_stores_nothing(command: Command, french: Path) -> None:
    dry = command("ingest", str(french), "--campaign", "c", "--dry-run", "--json").answer()
    assert [(drop["campaign_id"], drop["rows"], drop["rejected"], drop["status"]) for drop in dry["drops"]] == [("c", 1, 1, "dry_run")]
    real = command("ingest", str(french), "--campaign", "c", "--json").answer()
    assert real["drops"][0]["status"] == "ingested"
    assert real["readings"] == dry["readings"]


def test_nothing_taken_is_told_with_why_and_exit_code_1(command: Command) -> None:
    done = command("ingest", str(FIXTURES / "meta_page_notice.json"))
    assert done.code == 1
    assert "rejected 1 notice: Meta's page webhook says that there is a lead, not whose: fetch it with GET /{leadgen_id}" in done.stdout
    assert "lead-assets shapes try" in done.stdout
    assert command("ingest", str(FIXTURES / "google_ads_test.json"), "--dry-run").code == 1


def test_shapes_are_listed_with_ones_own(command: Command, tmp_path: Path) -> None:
    own = tmp_path / "rules" / "shapes"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("shapes:\n  mine: {what: my own form, when: {has: [secret_handshake]}}\n")
    rows = {row["name"]: row for row in command("shapes", "--json", LEAD_ASSETS_RULES_DIR=str(own.parent)).answer()["shapes"]}
    assert len(rows) > 40
    assert (rows["mine"]["own"], rows["mine"]["declared_in"]) == (True, f"{own / 'mine.yaml'} line 2")
    assert rows["typeform"]["verified"]
    assert "my own form" in command("shapes", LEAD_ASSETS_RULES_DIR=str(own.parent)).stdout


def test_a_broken_shape_is_told_by_every_command_that_would_use_it(command: Command, tmp_path: Path, french: Path) -> None:
    own = tmp_path / "rules" / "shapes"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("shapes:\n  mine: {what: my own form, when: {hass: [a]}}\n")
    rules = {"LEAD_ASSETS_RULES_DIR": str(own.parent)}
    said = f"{own / 'mine.yaml'} line 2: shape 'mine': unknown key 'hass' (did you mean 'has'?)"

    listed = command("shapes", **rules)
    assert (listed.code, said in listed.stderr) == (1, True)
    taken = command("ingest", str(french), "--campaign", "c", **rules)
    assert (taken.code, said in taken.stderr) == (0, True)
    checks = {check["name"]: check for check in json.loads(command("doctor", "--json", **rules).stdout)["checks"]}
    assert said in checks["rules: shapes"]["detail"]
    assert said in command("run", "--all", **rules).stderr


def test_try_says_what_each_payload_is_read_as_and_what_stays_over(command: Command) -> None:
    done = command("shapes", "try", str(FIXTURES / "typeform.json"), str(FIXTURES / "meta_page_webhook.json"))
    for line in (
        "read as typeform (Typeform, webhook of a response): 1 lead",
        "form_response.submitted_at → submitted_at",
        "How many employees does your company have? → company_size",
        "Which topics interest you? → kept in extra",
        "left over of the first: ",
        "read as meta_page_webhook",
        "rejected 1 test_event",
    ):
        assert line in done.stdout, line

"""All rules are checked together, and each fault names its file, its line, the likely intent and the next step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lead_assets.core.declared import Declared, RulesFile, rules_digest
from lead_assets.core.document import RulesError
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings
from lead_assets.rules.check import check_rules, examine_rules
from lead_assets.rules.files import rules_files
from lead_assets_tests.conftest import Command
from lead_assets_tests.rules.broken import BROKEN

SHIPPED = Settings(rules_dir=None, routing_json=None)


def shipped(name: str) -> str:
    return rules_file(name, SHIPPED).read_text(encoding="utf-8")


def faults(settings: Settings) -> list[str]:
    with pytest.raises(RulesError) as error:
        check_rules(settings)
    return str(error.value).splitlines()


@pytest.fixture
def own(tmp_path: Path) -> Settings:
    (tmp_path / "own").mkdir()
    return Settings(rules_dir=tmp_path / "own", routing_json=None)


def write(settings: Settings, name: str, text: str | bytes) -> None:
    assert settings.rules_dir is not None
    (settings.rules_dir / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def test_the_shipped_rules_are_good() -> None:
    check_rules(SHIPPED)


def test_every_file_that_ships_is_checked_and_every_checked_file_ships() -> None:
    folder = rules_file("routing.yaml", SHIPPED).parent
    assert {path.name for path in folder.glob("*.yaml")} == {file.name for file in rules_files()}


@pytest.mark.parametrize(("name", "old", "new", "said"), BROKEN)
def test_a_broken_file_is_told_with_its_line_and_the_next_step(own: Settings, name: str, old: str, new: str, said: str) -> None:
    text = shipped(name)
    assert old in text, "the shipped file has changed: change this case with it"
    write(own, name, text.replace(old, new, 1))
    line = text[: text.index(old)].count("\n") + 1
    found = [fault for fault in faults(own) if said in fault]
    assert found, faults(own)
    # A missing key is told at the mapping that lacks it.
    assert f"{own.rules_dir}/{name} line {line}: " in found[0] or (" line " in found[0] and "is missing" in said), found
    assert not any(word in found[0] for word in ("Input should", "Value error", "while parsing", "pydantic"))


@pytest.mark.parametrize("name", sorted({file.name for file in rules_files()}))
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1: the file is empty: add rules, or delete it to use the shipped ones"),
        ("- one\n- two\n", "line 1: not a mapping: write key: value; known keys: "),
        ("a: [\n", "cannot be read: the file ends before a bracket"),
        ("# Größe\n".encode("latin-1"), "line 1: cannot be read: not UTF-8: save the file as UTF-8"),
        ("---\na: 1\n---\nb: 1\n", "line 3: cannot be read: --- starts a second document"),
    ],
)
def test_a_file_that_is_no_rules_is_told(own: Settings, name: str, content: str | bytes, said: str) -> None:
    write(own, name, content)
    (fault,) = faults(own)
    assert fault.startswith(f"{own.rules_dir}/{name} ")
    assert said in fault


def test_all_faults_of_all_files_are_told_at_once(own: Settings) -> None:
    write(own, "scoring.yaml", shipped("scoring.yaml").replace("version: 3", "version: one"))
    write(
        own,
        "routing.yaml",
        shipped("routing.yaml").replace("owner: callum.reid", "owner: callum").replace("region: Nordics", "region: Nordic"),
    )
    write(own, "prices.yaml", "models: {}\n")
    write(own, "rooting.yaml", "owners: []\n")
    told = [fault.removeprefix(f"{own.rules_dir}/").split(":")[0] for fault in faults(own)]
    assert [name.split(" line")[0] for name in told] == ["prices.yaml", "scoring.yaml", "routing.yaml", "routing.yaml", "rooting.yaml"]


def test_a_name_that_nobody_reads_is_told(own: Settings, tmp_path: Path) -> None:
    write(own, "rooting.yaml", "owners: []\n")
    (fault,) = faults(own)
    assert fault.startswith(f"{own.rules_dir}/rooting.yaml: no rules file has this name (did you mean 'routing.yaml'?): rename it or")
    assert own.rules_dir is not None
    (own.rules_dir / "rooting.yaml").rename(own.rules_dir / "README.md")
    check_rules(own)
    write(own, "scoring.yml", shipped("scoring.yaml"))
    assert "did you mean 'scoring.yaml'?" in faults(own)[0]
    (own.rules_dir / "scoring.yml").unlink()
    write(own, "eu.yaml", shipped("routing.yaml"))
    check_rules(own.model_copy(update={"routing_json": str(own.rules_dir / "eu.yaml")}))


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    (fault,) = faults(Settings(rules_dir=tmp_path / "nope", routing_json=None))
    assert fault == f"LEAD_ASSETS_RULES_DIR is {tmp_path / 'nope'}, which is not a folder: correct it, or unset it to use the shipped rules"


def test_a_table_in_the_environment_is_checked_like_a_file(tmp_path: Path) -> None:
    (fault,) = faults(Settings(rules_dir=None, routing_json='{"owners": [{"id": "a", "name": "A"}],\n "fallback_owner": "b"}'))
    assert fault == "ROUTING_JSON line 2: unknown owner 'b': add it under owners (at fallback_owner)"
    (fault,) = faults(Settings(rules_dir=None, routing_json=str(tmp_path / "gone.yaml")))
    assert "ROUTING_JSON is neither a JSON object nor the path of a readable file" in fault


def test_shares_of_a_source_that_one_took_out_do_no_harm(own: Settings) -> None:
    text = shipped("signals.yaml")
    write(own, "signals.yaml", text[: text.index("  email:\n    when")])
    check_rules(own)


class Weather(Declared):
    rain: float


def test_a_rules_file_is_a_model(own: Settings) -> None:
    """Declaring and naming it is all: it is found, checked, known by name, shown by doctor's list, and hashed."""
    weather = RulesFile("weather.yaml", Weather, summary=lambda rules: f"rain {rules.rain}")
    files: list[RulesFile[Any]] = [*rules_files(), weather]
    write(own, "weather.yaml", "rain: 0.5 # of the days\n")
    assert weather.load(own) == Weather(rain=0.5)
    check_rules(own, files)
    assert [(each.summary, each.faults) for each in examine_rules(own, files) if each.name == "weather.yaml"] == [("rain 0.5", ())]
    before = rules_digest(own, "weather.yaml")
    write(own, "weather.yaml", "# Of the days.\nrain:   0.5\n")
    assert rules_digest(own, "weather.yaml") == before
    write(own, "weather.yaml", "rain: often\n")
    with pytest.raises(RulesError, match=r"weather\.yaml line 1: not a number: write one, such as 0\.5 \(at rain\)"):
        check_rules(own, files)
    assert own.rules_dir is not None
    (own.rules_dir / "weather.yaml").rename(own.rules_dir / "wether.yaml")
    with pytest.raises(RulesError, match=r"wether\.yaml: .*did you mean 'weather\.yaml'"):
        check_rules(own, files)


def test_what_is_in_memory_is_good_until_the_file_changes(own: Settings) -> None:
    write(own, "scoring.yaml", shipped("scoring.yaml"))
    check_rules(own)
    write(own, "scoring.yaml", shipped("scoring.yaml").replace("version: 3", "version: x"))
    assert len(faults(own)) == 1
    write(own, "scoring.yaml", shipped("scoring.yaml"))
    check_rules(own)


def test_doctor_lists_every_file(command: Command, own: Settings) -> None:
    write(own, "scoring.yaml", "version: one\n")
    write(own, "rooting.yaml", "owners: []\n")
    done = command("doctor", "--json", LEAD_ASSETS_RULES_DIR=str(own.rules_dir))
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"] if check["name"].startswith("rules: ")}
    assert set(checks) == {"rules: folder", "rules: shapes", *(f"rules: {file.name.removesuffix('.yaml')}" for file in rules_files())}
    assert done.code == 1
    assert sorted(name for name, check in checks.items() if not check["ok"]) == ["rules: folder", "rules: scoring"]
    assert "line 1: not a whole number" in checks["rules: scoring"]["detail"]
    assert "routing.yaml" in checks["rules: folder"]["detail"]
    assert checks["rules: signals"]["detail"] == "10 signals"
    gone = command("doctor", "--json", LEAD_ASSETS_RULES_DIR=str(own.rules_dir) + "/nope")
    bad = [check["name"] for check in json.loads(gone.stdout)["checks"] if not check["ok"]]
    assert set(bad) == set(checks), "each of them would be read from a folder that is not there"

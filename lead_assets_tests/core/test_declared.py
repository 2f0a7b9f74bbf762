"""Rules files are read strictly, and every problem is reported with its place and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from lead_assets.core.declared import Declared, Mistake, RulesFile, rules_digest
from lead_assets.core.document import RulesError, read_bytes, read_document
from lead_assets.core.settings import Settings


class Stop(Declared):
    name: str = Field(min_length=1)
    kind: Literal["bus", "tram"] = "bus"
    fare: Decimal = Field(Decimal(1), ge=0)


class Line(Declared):
    stops: list[Stop] = []
    night: bool = False
    runs: int = Field(1, ge=1, le=24)
    wait: float = 0.5
    via: dict[str, str] = {}


class Timetable(Declared):
    city: str = Field(description="name the city, as Basel")
    lines: Annotated[dict[str, Line], Field(min_length=1)]


def mistakes(table: Timetable) -> Iterator[Mistake]:
    for name, line in table.lines.items():
        for index, stop in enumerate(line.stops):
            if stop.name == "Nowhere":
                yield Mistake(("lines", name, "stops", index, "name"), "nobody lives there: choose another stop")


TIMETABLE = RulesFile("timetable.yaml", Timetable, mistakes, parts={"lines": "line", "stops": "stop"})

GOOD = """\
# Every line of the city.
city: Basel
lines:
  "8":
    stops:
      - {name: Aeschenplatz, kind: tram}
      - {name: Marktplatz, kind: tram, fare: 2.50}
    night: false
    runs: 12
"""


def refused(text: str) -> str:
    with pytest.raises(RulesError) as error:
        TIMETABLE.parse(read_document(text, "timetable.yaml"))
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the file is empty: add rules, or delete it to use the shipped ones"),
        ("# nothing yet\n", "line 1: the file is empty"),
        ("a: [1, 2\nb: 3\n", "line 1: cannot be read: the [ opened here is not closed"),
        ("a: {x: 1\nb: 3\n", "line 1: cannot be read: the { opened here is not closed"),
        ("b: 1\na: 'x\nc: 3\n", "line 2: cannot be read: the quote opened here is not closed: close it"),
        ("a: [\n  b,\n", "line 3: cannot be read: the file ends before a bracket or a mapping is closed"),
        ("a:\n\tb: 1\n", "line 2: cannot be read: a tab is not allowed here: indent with spaces"),
        ("a: b: c\n", "line 1: cannot be read: unexpected colon: fix the indentation, or put text that contains ': '"),
        ("a: 1\n b: 2\n", "line 2: cannot be read: unexpected colon"),
        ("a: - b\n", "line 1: cannot be read: unexpected '- '"),
        ("- a\nb: 1\n", "line 2: cannot be read: this line does not fit the ones above it: check its indentation"),
        ("a:\n  b: 1\n c: 2\n", "line 3: cannot be read: this line does not fit the ones above it"),
        ("a: 1\nb: ]\n", "line 2: cannot be read: a value is missing before this place, or there is a stray character"),
        ("a: *x\n", "line 1: cannot be read: *x refers to nothing"),
        ('a: "C:\\q"\n', "line 1: cannot be read: unknown backslash escape in double quotes: use single quotes"),
        ("a: 1\nb: @x\n", "line 2: cannot be read: unquoted text cannot begin with @"),
        ("a: `x`\n", "line 1: cannot be read: unquoted text cannot begin with `"),
        ("a: 1\n---\nb: 2\n", "line 2: cannot be read: --- starts a second document"),
        ("a: !x 1\n", "line 1: cannot be read: tags (words that begin with !) have no meaning here"),
        ("a: !!int x\n", "cannot be read: a value does not match its '!!' tag: remove the tag"),
        ("a: 1\nb: \x01\n", "line 2: cannot be read: this line contains a control character: remove it"),
        ("a: 1\n? [b]\n: 1\n", "line 2: cannot be read: a list or mapping cannot be a key"),
        ('{"a": 1}}', "line 1: cannot be read: unexpected text after the end of the value"),
        ("%YAML 3\n---\na: 1\n", "line 1: cannot be read: neither YAML nor JSON: check this line"),
        ("a: " + "[" * 5000, "cannot be read: it is nested too deeply"),
        ("b2b: 1\nx: 2\nb2b: 3\n", "line 3: the key 'b2b' occurs twice, here and on line 1: merge the two"),
        ("x: {a: 1, a: 2}\n", "line 1: the key 'a' occurs twice, on this line: merge the two"),
    ],
)
def test_a_text_that_cannot_be_read_says_where_and_what_to_do(text: str, said: str) -> None:
    error = refused(text)
    assert said in error
    assert error.startswith("timetable.yaml")
    assert not any(word in error for word in ("while parsing", "while scanning", "<unicode string>", "expected <", "yaml.org", "found "))


def test_every_repeated_key_is_said_at_once() -> None:
    error = refused("a:\n  b: 1\n  b: 2\nc: 1\na: 3\n")
    assert [line.split(":")[0] for line in error.splitlines()] == ["timetable.yaml line 3", "timetable.yaml line 5"]


def test_a_file_that_is_not_utf8_says_so() -> None:
    with pytest.raises(RulesError, match=r"^x\.yaml line 2: cannot be read: not UTF-8: save the file as UTF-8$"):
        read_bytes("a: 1\nb: Müller\n".encode("latin-1"), "x.yaml")
    assert read_bytes("﻿a: Müller\n".encode(), "x.yaml").value == {"a": "Müller"}


def test_words_stay_words() -> None:
    """YAML 1.1 makes false of Norway, true of Ontario, 90 of half past one, 8 of an area code and a date of a day."""
    text = "[NO, ON, yes, off, 1:30, 010, 2026-01-01, true, 1_000, 1.5, 1e3, null, ~]"
    read = ["NO", "ON", "yes", "off", "1:30", "010", "2026-01-01", True, 1000, 1.5, 1000.0, None, None]
    assert read_document(text, "x.yaml").value == read


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("city: Basel", "citi: Basel", "line 2: unknown key 'citi' (did you mean 'city'?): correct or remove it; known: city, lines (at citi)"),
        ("city: Basel", "", "line 3: 'city' is missing: name the city, as Basel"),
        ("city: Basel", "city: 4001", "line 2: not text: put the value in quotes (at city)"),
        ("city: Basel", "city: true", "line 2: not text: put the value in quotes (at city)"),
        ("city: Basel", "city:", "line 2: not text: put the value in quotes (at city)"),
        ("runs: 12", "runs: a dozen", "line 9: line '8': not a whole number: write one, such as 3 (at lines.8.runs)"),
        ("runs: 12", "runs: 1.5", "line 9: line '8': not a whole number"),
        ("runs: 12", "runs: 25", "line 9: line '8': must be at most 24: write a smaller number"),
        ("runs: 12", "runs: 0", "line 9: line '8': must be at least 1: write a larger number"),
        ("runs: 12", "wait: soon", "line 9: line '8': not a number: write one, such as 0.5"),
        ("runs: 12", "wait: .nan", "line 9: line '8': not a number: write one, such as 0.5"),
        ("fare: 2.50", "fare: free", "line 7: line '8': stop 'Marktplatz': not a number: write one, such as 0.5"),
        ("night: false", "night: maybe", "line 8: line '8': neither true nor false: write one of the two"),
        ("kind: tram, fare", "kind: tran, fare", "line 7: line '8': stop 'Marktplatz': unknown value 'tran' (did you mean 'tram'?): write one of bus, tram"),
        ("{name: Marktplatz, kind", "{kind", "line 7: line '8': stop 2: 'name' is missing: add it (at lines.8.stops.1)"),
        ("{name: Marktplatz,", "{name: '',", "line 7: line '8': stop 2: is empty: write some text"),
        ("{name: Marktplatz,", "{name: Nowhere,", "line 7: line '8': stop 'Nowhere': nobody lives there: choose another stop"),
        ("kind: tram, fare", "knid: tram, fare", "stop 'Marktplatz': unknown key 'knid' (did you mean 'kind'?): correct or remove it; known: fare, kind, name"),
        ("runs: 12", "stops2: [a]", "line 9: line '8': unknown key 'stops2' (did you mean 'stops'?)"),
        ("runs: 12", "via: [a]", "line 9: line '8': not a mapping: write key: value"),
        ("runs: 12", "via: {1: a}", "line 9: line '8': the key is not text: put it in quotes"),
        ("- {name: Aeschenplatz, kind: tram}", "- Aeschenplatz", "line 6: line '8': stop 1: not a mapping: write key: value; known keys: fare, kind, name"),
    ],
)  # fmt: skip
def test_what_a_model_refuses_is_said_with_the_place_and_the_next_step(old: str, new: str, said: str) -> None:
    assert TIMETABLE.parse(read_document(GOOD, "timetable.yaml")).city == "Basel"
    assert old in GOOD
    error = refused(GOOD.replace(old, new, 1))
    assert said in error
    assert error.startswith("timetable.yaml line ")
    assert not any(word in error for word in ("Input should", "Value error", "pydantic", "type="))


def test_every_fault_is_said_at_once() -> None:
    error = refused(GOOD.replace("Basel", "[]").replace("runs: 12", "runs: 0").replace("Aeschenplatz, kind: tram", "x, kind: ship"))
    assert [line.split(":")[0] for line in error.splitlines()] == [
        "timetable.yaml line 2",
        "timetable.yaml line 6",
        "timetable.yaml line 9",
    ]


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "17\n"])
def test_a_file_that_is_no_mapping_says_what_it_should_hold(text: str) -> None:
    assert refused(text) == "timetable.yaml line 1: not a mapping: write key: value; known keys: city, lines"


def test_own_rules_take_the_place_of_the_shipped_ones_file_by_file(tmp_path: Path) -> None:
    settings = Settings(rules_dir=tmp_path)
    (tmp_path / "timetable.yaml").write_text(GOOD)
    assert TIMETABLE.load(settings).city == "Basel"
    (tmp_path / "timetable.yaml").write_text(GOOD.replace("Basel", "Bern!"))
    assert TIMETABLE.load(settings).city == "Bern!", "what is kept of a file in memory is good until the file changes"
    (tmp_path / "timetable.yaml").unlink()
    with pytest.raises(RulesError, match="cannot be read"):
        TIMETABLE.load(settings)


def test_a_digest_is_of_what_a_file_says(tmp_path: Path) -> None:
    settings = Settings(rules_dir=tmp_path, routing_json=None)

    def digest(text: str) -> str:
        (tmp_path / "timetable.yaml").write_text(text)
        return rules_digest(settings, "timetable.yaml")

    first = digest(GOOD)
    assert (
        digest("# Another comment.\n\n" + GOOD.replace("{name: Aeschenplatz, kind: tram}", "{ 'name': Aeschenplatz,  kind: tram }"))
        == first
    )
    assert digest(GOOD.replace("12", "13")) != first
    assert digest(GOOD.replace("Aeschenplatz", "Barfüsserplatz")) != first
    broken = [digest("city: Basel\ncity: Bern\n"), digest("city: [\n"), digest("city: [\n# more\n")]
    assert len({first, *broken}) == 4, "a code location that carries it loads, whatever the file is like"
    inline = Settings(rules_dir=tmp_path, routing_json='{"owners": []}')
    assert rules_digest(inline, "routing.yaml") != rules_digest(settings, "routing.yaml"), "a table in the environment is what holds"

"""The declarations of payload shapes: one entry in `rules/shapes/*.yaml` each, shipped or the user's own.

Belongs here: what a declaration may say, and its possible mistakes. Does not belong here: choosing a shape for a payload and reading by it (see
`adapters`), or the wordings shared by all shapes (see `headers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from lead_assets.contracts.enriched import VALUE_SOURCES
from lead_assets.core.declared import Declared, Mistake, RulesFile, RulesFolder
from lead_assets.core.document import Document, nearest
from lead_assets.core.settings import Settings
from lead_assets.intake import paths
from lead_assets.intake.headers import FIELDS


def _is_path(text: str) -> str:
    paths.path(text)
    return text


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is not a regular expression ({error}): correct or remove it") from None
    return text


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


PathText = Annotated[str, AfterValidator(_is_path)]
Paths = Annotated[list[PathText], BeforeValidator(_listed)]
"""One path, or several: the first with a value is used."""
Words = Annotated[list[str | int | float | bool], BeforeValidator(_listed)]
"""One value, or several: any of them matches."""


class When(Declared):
    """How to recognise a payload of this shape: all conditions must hold. Single keys are compared like headers, so `lead_id` also matches "Lead ID"."""

    has: list[PathText] = []
    """All of these are present."""
    any_of: list[PathText] = []
    """One of these is present, or a key that means one of `means_any`."""
    lacks: list[PathText] = []
    """None of these is present."""
    values: dict[PathText, Words] = {}
    """The value is one of these, as text, ignoring case; `*` matches anything: "*lending*"."""
    means: list[str] = []
    """For each of these fields, the payload has a key that means it."""
    means_any: list[str] = []
    table: bool | None = None
    """true: only table rows; false: only JSON."""


class Titles(Declared):
    """A list elsewhere in the payload with each answer's question: the entry whose `id` is the answer's `name` has the wording at `title`.
    Or an object of name: wording."""

    at: Paths
    id: PathText = "id"
    title: Paths = ["title"]


class Answers(Declared):
    """Answers matched by the wording of their names: an object, or a list of entries with a name and a value."""

    at: PathText
    name: Paths | None = None
    """Where an entry has its name; if several, the first with a known wording, or else the first. Without it, `at` is an object of name: value."""
    value: Paths = ["value"]
    titles: Titles | None = None
    """Where the wording of each name is; without `name`, of the object's keys."""
    prefix: Annotated[str, AfterValidator(_is_pattern)] = ""
    """A regular expression for a prefix to remove from names: `q\\d+_`."""
    json_text: bool = False
    """Whether the value is a text that contains JSON."""
    whole: list[list[str]] = []
    """Names of parts that make one text: with [country, area, phone], {"area": "415", "phone": "555-0144"} is "415 555-0144"."""


def _as_answers(value: Any) -> Any:
    return [{"at": item} if isinstance(item, str) else item for item in _listed(value)]


Transform = Literal["epoch", "epoch_ms", "join", "last_part", "unprefixed"]


class FieldSource(Declared):
    """Where a field is, and how to read its value: epoch (seconds), epoch_ms, join (all values, with commas), last_part (of a path or URL),
    unprefixed (without one or two letters and a colon: "p:+14155550100"; or as spreadsheets keep a text: '123, ="123")."""

    at: Paths
    as_: Transform | None = Field(None, alias="as")


def _as_source(value: Any) -> Any:
    return value if isinstance(value, dict) else {"at": _listed(value)}


class GivenFact(Declared):
    """Where a payload says what a signal would otherwise buy: a column of enriched_leads."""

    at: Paths
    together: bool = False
    """All values there, with commas, such as city, state and country of a head office; otherwise the first."""
    words: dict[str, str] = {}
    """The source's word → the column's value, ignoring case; any other word is no fact. Without it, the value is as it stands."""
    times: float = 1
    """What a number is multiplied by: 1000 for "in 000s USD"."""
    dated: Annotated[list[PathText], BeforeValidator(_listed)] = []
    """Where the source says since when it is so; otherwise it is as old as the lead."""


class Shape(Declared):
    """One payload shape."""

    what: str
    """What sends it, in a line."""
    verified: str = ""
    """What was verified about its wire format, and where."""
    when: Annotated[list[When], BeforeValidator(_listed)] = [When()]
    """Recognised if all conditions in one of these hold."""
    general: bool = False
    """Every shape that is not general wins over it."""
    over: list[str] = []
    """Shapes that it wins over if both fit."""
    kind: Literal["lead", "notice", "batch"] = "lead"
    """notice: only announces a lead, and is kept as a reject with `advice`. batch: each entry at `each` is a separate payload, of any shape."""
    each: Paths = []
    """A list whose entries are leads; if several, the first non-empty one."""
    advice: str = ""
    test: dict[PathText, Words] = {}
    """Recognises the source's own test events: any of these paths has one of these values. They are kept as rejects and never become leads."""
    id: Annotated[FieldSource | None, BeforeValidator(_as_source)] = None
    """The source's own id for the lead or its event, which becomes the `lead_id`, with `id_prefix` and a colon before it."""
    id_prefix: str = ""
    answers: Annotated[list[Answers], BeforeValidator(_as_answers)] = [Answers(at=".")]
    fields: dict[str, Annotated[FieldSource, BeforeValidator(_as_source)]] = {}
    """Field → where it is. Declarations here take precedence over the wording of answers."""
    questions: dict[str, list[str]] = {}
    """Field → wordings that mean it in this shape, in addition to those in headers.yaml."""
    gives: dict[str, Annotated[GivenFact, BeforeValidator(_as_source)]] = {}
    """Column of enriched_leads → where the source says it. What a lead brings is not bought while it is fresh (see `lead_assets.signals.given`)."""
    ignore: list[str] = []
    """Names of answers to ignore here, whatever they mean elsewhere."""
    set: dict[str, str] = {}
    """Field → its value if the payload has none."""
    profile: str | None = None
    """The profile of all leads of this shape, whatever they say."""
    dates: Literal["day_first", "month_first"] | None = None
    """How the source writes ambiguous days: 05/11/2026."""


class ShapesFile(Declared):
    """A file of shapes: name → shape."""

    shapes: dict[str, Shape]


def _mistakes(file: ShapesFile) -> Iterator[Mistake]:
    for name, shape in file.shapes.items():
        at: tuple[int | str, ...] = ("shapes", name)
        for key in ("fields", "questions", "set"):
            for field in getattr(shape, key):
                if field not in FIELDS:
                    yield Mistake(
                        (*at, key, field),
                        f"unknown field '{field}'{nearest(field, FIELDS)}: correct or remove it; known: {', '.join(FIELDS)}",
                    )
        for column in shape.gives:
            if column not in VALUE_SOURCES:
                yield Mistake(
                    (*at, "gives", column),
                    f"no signal fills '{column}'{nearest(column, VALUE_SOURCES)}: correct or remove it; known: {', '.join(VALUE_SOURCES)}",
                )
        for when, key in product(shape.when, ("means", "means_any")):
            for field in set(getattr(when, key)) - set(FIELDS):
                yield Mistake((*at, "when"), f"unknown field '{field}'{nearest(field, FIELDS)}: correct or remove it")
        if shape.kind == "batch" and not shape.each:
            yield Mistake(at, "a batch without `each`: write the list whose entries are payloads, such as batch[]")
        if shape.kind == "notice" and not shape.advice:
            yield Mistake(at, "a notice without `advice`: write how to get the lead itself sent")
        if not shape.general and not all((when.has or when.any_of or when.values or when.means_any) for when in shape.when):
            yield Mistake(at, "it does not say how to recognise it: write when: {has: [...]}, or general: true")


_FILE = RulesFile("shapes", ShapesFile, mistakes=_mistakes, parts={"shapes": "shape"})
SHAPES = RulesFolder("shapes", _FILE)


@dataclass(frozen=True)
class Known:
    """The shapes in force by name, where each is declared, and every fault in files that could not be used."""

    shapes: Mapping[str, Shape]
    origins: Mapping[str, str]
    faults: tuple[str, ...]


def load_shapes(settings: Settings) -> Known:
    """The shipped shapes and the user's own, which win if names are equal. A file with a mistake is left out and reported in `faults`."""
    declared = SHAPES.load(settings)
    shapes: dict[str, Shape] = {}
    origins: dict[str, str] = {}
    faults = list(declared.faults)
    folders: dict[str, Document] = {}
    for document, file in declared.rules:
        for name, shape in file.shapes.items():
            origin = f"{document.name} line {document.line(['shapes', name])}"
            earlier = folders.get(name)
            if earlier is not None and _folder(earlier) == _folder(document):
                faults.append(f"{origin}: shape '{name}' is also declared in {origins[name]}: rename or remove one of them")
                continue
            shapes[name], origins[name], folders[name] = shape, origin, document
    for name, shape in shapes.items():
        faults += (
            f"{origins[name]}: shape '{name}': over '{other}', which is not a shape{nearest(other, shapes)}: correct or remove it"
            for other in shape.over
            if other not in shapes
        )
    return Known(shapes, origins, tuple(faults))


def _folder(document: Document) -> str:
    return document.name.rpartition("/")[0]

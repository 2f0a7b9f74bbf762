"""The declarations of payload shapes: one entry in `rules/shapes/*.yaml` each, shipped or the user's own.

Belongs here: what a declaration may say, and what can be wrong with it. Does not belong here: choosing a shape for a payload and reading it by one (see
`adapters`), and the wordings that all shapes share (see `headers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

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
        raise ValueError(f"'{text}' is no regular expression ({error}): mend or remove it") from None
    return text


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


PathText = Annotated[str, AfterValidator(_is_path)]
Paths = Annotated[list[PathText], BeforeValidator(_listed)]
"""One path, or several: the first that says something is taken."""
Words = Annotated[list[str | int | float | bool], BeforeValidator(_listed)]
"""One value, or several: any of them will do."""


class When(Declared):
    """How a payload of the shape is recognised: all of it must hold. Single keys are compared as headers are, so `lead_id` is "Lead ID" too."""

    has: list[PathText] = []
    """All of these are there."""
    any_of: list[PathText] = []
    """One of these is there, or a key that means one of `means_any`."""
    lacks: list[PathText] = []
    """None of these is there."""
    values: dict[PathText, Words] = {}
    """What stands there is one of these, as text, case aside; `*` stands for anything: "*lending*"."""
    means: list[str] = []
    """For each of these fields, a key of the payload means it."""
    means_any: list[str] = []
    table: bool | None = None
    """true: only rows of a table; false: only JSON."""


class Titles(Declared):
    """A list elsewhere in the payload that says what each answer's question is: the entry whose `id` is the answer's `name` has its wording at `title`."""

    at: PathText
    id: PathText = "id"
    title: Paths = ["title"]


class Answers(Declared):
    """Answers that are matched by the wording of their names: an object, or a list of entries with a name and a value."""

    at: PathText
    name: Paths | None = None
    """Where an entry has its name; several: the first whose wording is known, else the first there is. Without: `at` is an object of name: value."""
    value: Paths = ["value"]
    titles: Titles | None = None
    """Where the wording of each name is; without `name`, that of the object's keys."""
    prefix: Annotated[str, AfterValidator(_is_pattern)] = ""
    """A regular expression for how names begin that is no part of them: `q\\d+_`."""
    json_text: bool = False
    """What stands there is JSON in a text."""


def _as_answers(value: Any) -> Any:
    return [{"at": item} if isinstance(item, str) else item for item in _listed(value)]


Transform = Literal["epoch", "epoch_ms", "join", "last_part", "unprefixed"]


class Source(Declared):
    """Where a field is, and how what stands there is read: epoch (seconds), epoch_ms, join (all values, with commas), last_part (of a path or URL),
    unprefixed (less one or two letters and a colon: "p:+14155550100")."""

    at: Paths
    as_: Transform | None = Field(None, alias="as")


def _as_source(value: Any) -> Any:
    return value if isinstance(value, dict) else {"at": _listed(value)}


class Shape(Declared):
    """One payload shape."""

    what: str
    """What sends it, in a line."""
    verified: str = ""
    """What was verified of its wire form, and where."""
    when: Annotated[list[When], BeforeValidator(_listed)] = [When()]
    """All that is said in one of these holds."""
    general: bool = False
    """Any shape that is not general wins over it."""
    over: list[str] = []
    """Shapes that it wins over where both fit."""
    kind: Literal["lead", "notice", "batch"] = "lead"
    """notice: says only that there is a lead, and is kept as a reject with `advice`. batch: `each` of it is a payload of its own, of any shape."""
    each: Paths = []
    """A list of which each entry is a lead; several: the first that has any."""
    advice: str = ""
    test: dict[PathText, Words] = {}
    """The source's own test event: any of these paths has one of these values. It is kept as a reject, and never becomes a lead."""
    id: Annotated[Source | None, BeforeValidator(_as_source)] = None
    """The source's own id of the lead or of its event: the lead's `lead_id`, with `id_prefix` and a colon before it."""
    id_prefix: str = ""
    answers: Annotated[list[Answers], BeforeValidator(_as_answers)] = [Answers(at=".")]
    fields: dict[str, Annotated[Source, BeforeValidator(_as_source)]] = {}
    """Field → where it is. What is declared here comes before what an answer's wording means."""
    questions: dict[str, list[str]] = {}
    """Field → wordings that mean it in this shape, besides those of headers.yaml."""
    ignore: list[str] = []
    """Names of answers that fill nothing here, whatever they mean elsewhere."""
    set: dict[str, str] = {}
    """Field → what it is where the payload does not say."""
    profile: str | None = None
    """The profile that a lead of this shape has, whatever it says."""
    dates: Literal["day_first", "month_first"] | None = None
    """How the source writes a day that could be two: 05/11/2026."""


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
        for when, key in product(shape.when, ("means", "means_any")):
            for field in set(getattr(when, key)) - set(FIELDS):
                yield Mistake((*at, "when"), f"unknown field '{field}'{nearest(field, FIELDS)}: correct or remove it")
        if shape.kind == "batch" and not shape.each:
            yield Mistake(at, "a batch without `each`: write the list whose entries are payloads, as batch[]")
        if shape.kind == "notice" and not shape.advice:
            yield Mistake(at, "a notice without `advice`: write how to have the lead itself sent")
        if not shape.general and not all((when.has or when.any_of or when.values or when.means_any) for when in shape.when):
            yield Mistake(at, "nothing says how it is recognised: write when: {has: [...]}, or general: true")


_FILE = RulesFile("shapes", ShapesFile, mistakes=_mistakes, parts={"shapes": "shape"})
SHAPES = RulesFolder("shapes", _FILE)


@dataclass(frozen=True)
class Known:
    """The shapes in force by name, where each is declared, and every fault of the files that could not be used."""

    shapes: Mapping[str, Shape]
    origins: Mapping[str, str]
    faults: tuple[str, ...]


def load_shapes(settings: Settings) -> Known:
    """The shipped shapes and the user's own; of one name, the user's. A file with a mistake is left out, and told in `faults`."""
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
                faults.append(f"{origin}: shape '{name}' is declared in {origins[name]} too: rename or remove one of the two")
                continue
            shapes[name], origins[name], folders[name] = shape, origin, document
    for name, shape in shapes.items():
        faults += (
            f"{origins[name]}: shape '{name}': over '{other}', which is no shape{nearest(other, shapes)}: correct or remove it"
            for other in shape.over
            if other not in shapes
        )
    return Known(shapes, origins, tuple(faults))


def _folder(document: Document) -> str:
    return document.name.rpartition("/")[0]

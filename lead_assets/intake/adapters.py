"""Finds a payload's shape and reads its fields by it: the declarations in `rules/shapes`, compiled once.

The payload's content decides the shape, never the file name. Among those that fit, specific shapes win over general ones, then `over` decides, then
the number of conditions; if two are still left, it is a tie, reported with both names. Does not belong here: what a declaration may say (see `shapes`), or
reading values (see `rows`).
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache, partial
from typing import Any

import orjson

from lead_assets.core.settings import Settings
from lead_assets.core.values import number
from lead_assets.intake.headers import FIELDS, HEADERS, IGNORE, OTHER_NAMES, Headers, Meaning, fold_header
from lead_assets.intake.moments import moment
from lead_assets.intake.nested import named_apart
from lead_assets.intake.paths import Path, Place, is_blank, path, tree_of, without
from lead_assets.intake.payloads import Fault
from lead_assets.intake.plans import NoPlanError, Plan, Probe, Read, Structure
from lead_assets.intake.shapes import Answers, FieldSource, Known, Shape, When, load_shapes

FALLBACK = "inbound_b2b"
"""The shape used for a payload that fits no declared one."""
DECLARED = "="
"""Prefix of a field name in a bag: the value that the shape's declaration points to."""
MAPPED = "=map "
"""Prefix of a field name in a bag: the value that `--map path=field` points to."""
_DECLARED = frozenset(mark + field for mark in (DECLARED, MAPPED) for field in (*FIELDS, IGNORE))
_MOST_PLANS = 512

Bag = dict[str, Any]
"""A payload's values: name → value, where the name is its own, or a field name after `DECLARED` or `MAPPED`."""


@dataclass(frozen=True)
class Keys:
    """The keys of a payload: as written, folded, and the fields they mean."""

    raw: frozenset[str]
    folded: frozenset[str]
    fields: frozenset[str]


class Condition:
    """One compiled `when` of a shape."""

    def __init__(self, when: When) -> None:
        self.when = when
        self._has = [path(text) for text in when.has]
        self._any_of = [path(text) for text in when.any_of]
        self._lacks = [path(text) for text in when.lacks]
        self._values = [(path(text), _pattern(words)) for text, words in when.values.items()]
        self.weight = len(self._has) + len(self._values) + len(when.lacks) + len(when.means) + bool(when.any_of or when.means_any)
        self.by_keys = not self._values and all(each.key for each in (*self._has, *self._any_of, *self._lacks))
        """Whether a payload's keys alone decide."""

    def may_hold(self, keys: Keys, is_table: bool) -> bool:
        """Whether it can hold for a payload with these keys; if `by_keys`, whether it does."""
        when = self.when
        if when.table is not None and when.table != is_table:
            return False
        one_of = any(_possible(each, keys) for each in self._any_of) or any(field in keys.fields for field in when.means_any)
        return (
            (one_of or not (when.means_any or self._any_of))
            and all(field in keys.fields for field in when.means)
            and all(_possible(each, keys) for each in self._has)
            and all(_possible(each, keys) for each, _ in self._values)
            and not any(each.key and _possible(each, keys) for each in self._lacks)
        )

    def holds(self, payload: Any, keys: Keys) -> bool:
        """What the keys leave open."""
        any_of = self._any_of
        return self.by_keys or (
            all(each.key or _there(each, payload) for each in self._has)
            and not any(not each.key and _there(each, payload) for each in self._lacks)
            and all(_says(each, words, payload) for each, words in self._values)
            and (
                not any_of
                or any(field in keys.fields for field in self.when.means_any)
                or any(_possible(each, keys) if each.key else _there(each, payload) for each in any_of)
            )
        )


def is_declared(name: str) -> bool:
    """Whether a name in a bag is a field after `DECLARED` or `MAPPED`. A sender's own name may begin like one: "=HYPERLINK(...)"."""
    return name in _DECLARED


class Adapter:
    """A shape compiled for reading payloads."""

    def __init__(self, name: str, shape: Shape, headers: Headers) -> None:
        self.name, self.shape, self.headers = name, shape, headers
        self._when = [Condition(when) for when in shape.when]
        self._test = [(path(text), _pattern(words)) for text, words in shape.test.items()]
        self.conditions = max((condition.weight for condition in self._when), default=0)
        self.each = [path(text) for text in shape.each]
        self._answers = [(each, path(each.at)) for each in shape.answers]
        self._reads_root = any(each.at == "." and each.name is None for each in shape.answers)
        sources = {field: ([path(text) for text in source.at], source) for field, source in shape.fields.items()}
        if shape.id:
            sources["lead_id"] = ([path(text) for text in shape.id.at], shape.id)
        self._sources = sources
        self.is_flat = (
            len(self._answers) == 1
            and self._reads_root
            and not (shape.answers[0].titles or shape.answers[0].prefix)
            and all(source.as_ is None and all(each.key for each in found) for found, source in sources.values())
        )
        """Whether a payload's values are directly under its own keys."""
        self.questions = {
            fold_header(wording): Meaning(field, rank - 500, "en")
            for field, wordings in shape.questions.items()
            for rank, wording in enumerate(wordings)
        }
        self._facts = [
            (
                column,
                fact,
                [path(text) for text in fact.at],
                [path(text) for text in fact.dated],
                {k.casefold(): v for k, v in fact.words.items()},
            )
            for column, fact in shape.gives.items()
        ]
        self._ignored = frozenset(map(fold_header, shape.ignore))

    # Recognising

    def open_conditions(self, keys: Keys, *, is_table: bool) -> list[Condition] | None:
        """The conditions of which one must hold for a payload with these keys; empty if one holds anyway, None if the shape is impossible."""
        possible = [condition for condition in self._when if condition.may_hold(keys, is_table)]
        if not possible:
            return None
        return [] if any(condition.by_keys for condition in possible) else possible

    @property
    def has_tests(self) -> bool:
        return bool(self._test)

    def is_test(self, payload: Any) -> bool:
        """Whether it is an event that the source sends to test the connection."""
        return any(_says(each, words, payload) for each, words in self._test)

    def entries(self, payload: Any) -> list[Any]:
        """The entries of a payload that may hold several leads: payloads of their own in a batch, else the payload once for each."""
        where = next((each for each in self.each if each.values(payload)), self.each[0])
        return where.values(payload) if self.shape.kind == "batch" else where.parts(payload)

    # Reading

    def bag(self, payload: Any) -> Bag:
        """A payload's values. Fields in the declaration are always present, null or not, so that all payloads of a shape have the same names."""
        bag = self._answered(payload)
        for field, (found, source) in self._sources.items():
            bag[DECLARED + field] = _read(found, source, payload)
        return bag

    def _answered(self, payload: Any) -> Bag:
        return named_apart(pair for answers, at in self._answers for pair in self._named(answers, at, payload))

    @property
    def given_at(self) -> dict[str, list[Path]]:
        """Column of enriched_leads → where the declaration finds it in a payload."""
        return {column: at for column, _, at, _, _ in self._facts}

    def given(self, payload: Any) -> dict[str, dict[str, Any]]:
        """What the payload says of columns that signals would otherwise buy: column → its value and its date (text with a time zone, or None)."""
        facts: dict[str, dict[str, Any]] = {}
        for column, fact, at, dated, words in self._facts:
            values = [_scalar(found) for where in at if (found := [each for each in _found(where, payload) if not is_blank(each)])]
            value = ", ".join(map(str, values)) if fact.together else values[0] if values else None
            if words:
                value = words.get(str(value).strip().casefold())
            elif fact.times != 1:
                read = number(str(value).replace(",", ""))
                value = None if read is None else read * fact.times
            if is_blank(value) or type(value) is dict:
                continue
            since = next((read for where in dated for each in _found(where, payload) if (read := moment(each)) is not None), None)
            facts[column] = {"value": value, "as_of": None if since is None else _written(since)}
        return facts

    def rest(self, payload: Any) -> Bag:
        """The payload without what its declaration and answers point to, so that nothing from the sender is lost."""
        left = without(payload, self._taken(payload))
        return left if type(left) is dict else {}

    def _taken(self, payload: Any) -> set[Place]:
        places: set[Place] = set()
        for found, source in self._sources.values():
            for each in found:
                if there := [place for place, value in each.places(payload) if not is_blank(value)]:
                    places.update(there if source.as_ == "join" else there[:1])
                    break
        for answers, at in self._answers:
            if not (answers.at == "." and answers.name is None):
                places.update(place for place, _ in at.places(payload))
        return places

    @cached_property
    def telling(self) -> frozenset[str]:
        """Keys whose values decide how a payload of this shape is recognised or read, beside its structure."""
        shape = self.shape
        names = [text for answers in shape.answers for text in answers.name or ()]
        compared = [*names, *(text for when in shape.when for text in when.values)]
        others = [
            *(answers.at for answers in shape.answers),
            *(text for found, _ in self._sources.values() for text in (each.text for each in found)),
        ]
        conditions = [text for when in shape.when for text in (*when.has, *when.any_of, *when.lacks)]
        last = {next((step for step in reversed(path(text).steps) if isinstance(step, str)), "") for text in compared}
        return frozenset(
            last
            | {step[0] for text in (*compared, *others, *conditions, *shape.each) for step in path(text).steps if isinstance(step, tuple)}
        )

    @cached_property
    def has_plans(self) -> bool:
        """Whether payloads of equal structure are read at equal places. Not if answers are named elsewhere, or are a text to be parsed."""
        return not any(answers.titles or answers.json_text or "." in (answers.name or ()) for answers in self.shape.answers)

    def plan(self, payload: Any, telling: frozenset[str]) -> Plan:
        """How to read payloads of the same structure as this one."""
        probe = Probe(payload, telling)
        reads = {DECLARED + field: _read_at(found, source, probe.payload) for field, (found, source) in self._sources.items()}
        tests = [([place for place, _ in each.places(probe.payload)], words) for each, words in self._test]
        return Plan(probe, self._answered(probe.payload), reads, tests, tree_of(self._taken(probe.payload)))

    @property
    def rest_is_said(self) -> bool:
        """Whether the keys of `rest` are also names in the bag."""
        return self._reads_root

    def places_of(self, field: str) -> list[Path]:
        """Where the declaration points for a field."""
        return self._sources[field][0] if field in self._sources else []

    def meaning(self, name: str) -> Meaning | None:
        """The field that a name in the bag means here; the rank orders several names for one field."""
        if is_declared(name):
            return Meaning(name.removeprefix(MAPPED).removeprefix(DECLARED), -3000 if name.startswith(MAPPED) else -2000, "en")
        folded = fold_header(name)
        if self.is_flat:
            for field, (found, _) in self._sources.items():
                for index, each in enumerate(found):
                    if fold_header(str(each.key)) == folded:
                        return Meaning(field, index - 1000, "en")
        if folded in self._ignored:
            return None
        if folded in self.questions:
            return self.questions[folded]
        return self.headers.meaning(name)

    def binding(self, names: Collection[str], column_map: Mapping[str, str]) -> dict[str, list[str]]:
        """Field → the names that can fill it; the first with a value in a payload wins. Independent of the order of names."""
        mapped = {fold_header(source): OTHER_NAMES.get(target, target) for source, target in column_map.items()}
        found: dict[str, list[tuple[int, bool, str]]] = {}
        languages: dict[str, set[str]] = {}
        either: list[str] = []
        for name in names:
            target = None if is_declared(name) else mapped.get(fold_header(name))
            meaning = Meaning(target, -4000, "en") if target else self.meaning(name)
            if meaning is None or meaning.field == IGNORE:
                continue
            if meaning.field == "full_name" and meaning.rank >= 0 and fold_header(name) in self.headers.whole_or_rest:
                either.append(name)
            found.setdefault(meaning.field, []).append((meaning.rank, name != meaning.field, name))
            languages.setdefault(meaning.field, set()).add(meaning.language)
        if either and ("first_name" in found) != ("last_name" in found):
            part, rest = ("first_name", "last_name") if "first_name" in found else ("last_name", "first_name")
            if "en" not in languages[part]:
                found[rest] = [each for each in found["full_name"] if each[2] in either]
                found["full_name"] = [each for each in found["full_name"] if each[2] not in either]
        return {field: [name for _, _, name in sorted(ranked)] for field, ranked in found.items() if ranked}

    def _named(self, answers: Answers, at: Path, payload: Any) -> Iterator[tuple[str, Any]]:
        prefix = answers.prefix
        for container in at.values(payload):
            if answers.json_text:
                container = _of_json(container)
            if answers.name is None:
                if type(container) is dict:
                    titles = _titles(answers, payload)
                    for name, value in self._opened(container, answers.whole, top=at.text == "."):
                        bare = re.sub(f"^(?:{prefix})", "", name) if prefix else name
                        yield titles.get(bare, bare), value
                continue
            entries = container if type(container) is list else [container]
            titles = _titles(answers, payload)
            for entry in entries:
                names = [
                    str(name)
                    for text in answers.name
                    for name in path(text).values(entry)
                    if type(name) in (str, int) and str(name).strip()
                ]
                names = [title for name in names if (title := titles.get(name))] + names
                if not names:
                    continue
                name = next((name for name in names if self.meaning(name)), names[0])
                value = next((value for text in answers.value if (value := _scalar(path(text).values(entry))) is not None), None)
                if type(value) is dict:
                    yield from self._of_parts(name, value, answers.whole)
                else:
                    yield name, value

    def _opened(self, container: Mapping[str, Any], whole: list[list[str]], *, top: bool) -> Iterator[tuple[str, Any]]:
        for name, value in container.items():
            if type(value) is dict and not top:
                yield from self._of_parts(name, value, whole)
            else:
                yield name, value

    def _of_parts(self, name: str, value: dict[str, Any], whole: list[list[str]]) -> Iterator[tuple[str, Any]]:
        """An answer that is an object: the parts of {"first": …, "last": …} are more useful, if they are known."""
        parts = next((parts for parts in whole if value and value.keys() <= set(parts)), None)
        if parts is not None:
            yield name, " ".join(str(value[part]).strip() for part in parts if not is_blank(value.get(part))) or None
        elif "value" in value and len(value) <= 4 and type(value["value"]) is not dict:
            yield name, value["value"]
        elif len(value) == 1:
            yield name, next(iter(value.values()))
        elif any(self.meaning(part) for part in value):
            yield from value.items()
        else:
            yield name, value


@dataclass(frozen=True)
class Candidates:
    """The shapes possible for payloads with the same keys, each with the conditions of which one must hold."""

    keys: Keys
    adapters: dict[Adapter, list[Condition]]

    @cached_property
    def are_sure(self) -> bool:
        """Whether the keys alone decide the shape, and one payload is one lead."""
        return not any(conditions or each.each or each.has_tests or each.shape.kind != "lead" for each, conditions in self.adapters.items())


class Adapters:
    """All shapes in force, compiled."""

    def __init__(self, known: Known, headers: Headers) -> None:
        self.known, self.headers = known, headers
        self.of_name = {name: Adapter(name, shape, headers) for name, shape in known.shapes.items()}
        self._candidates: dict[tuple[tuple[str, ...], bool], Candidates] = {}
        self._winners: dict[tuple[str, ...], Adapter | Fault] = {}
        self._plans: dict[Structure, tuple[Adapter, Plan] | None] = {}

    @cached_property
    def digest(self) -> str:
        """A different text for every set of declarations that may give different rows."""
        said = [f"{name} {shape.model_dump_json()}" for name, shape in sorted(self.known.shapes.items())]
        return hashlib.sha256("\n".join([*said, self.headers.model_dump_json()]).encode()).hexdigest()[:16]

    def candidates(self, signature: tuple[str, ...], *, is_table: bool) -> Candidates:
        """The shapes possible for a payload with these keys."""
        known = self._candidates.get((signature, is_table))
        if known is None:
            if len(self._candidates) > 4096:
                self._candidates.clear()
            fields = (meaning.field for name in signature if (meaning := self.headers.meaning(name)))
            keys = Keys(frozenset(signature), frozenset(map(fold_header, signature)), frozenset(fields))
            open_conditions = {
                adapter: conditions
                for adapter in self.of_name.values()
                if (conditions := adapter.open_conditions(keys, is_table=is_table)) is not None
            }
            known = self._candidates[signature, is_table] = Candidates(keys, open_conditions)
        return known

    def choose(self, payload: Any, candidates: Candidates) -> Adapter | Fault:
        """The payload's shape, or a fault for a tie."""
        keys = candidates.keys
        return self.winner(
            [
                adapter
                for adapter, conditions in candidates.adapters.items()
                if not conditions or any(condition.holds(payload, keys) for condition in conditions)
            ]
        )

    @cached_property
    def telling(self) -> frozenset[str]:
        return frozenset(key for adapter in self.of_name.values() for key in adapter.telling)

    def plan(self, of: Structure, payload: Any, candidates: Candidates) -> tuple[Adapter, Plan] | None:
        """How to read payloads of this structure, of which `payload` is one; None if each has to be looked at by itself."""
        if of in (plans := self._plans):
            return plans[of]
        if len(plans) > _MOST_PLANS:
            # Another thread may be reading by the old ones.
            plans = self._plans = {}
        return plans.setdefault(of, self._plan(payload, candidates))

    def _plan(self, payload: Any, candidates: Candidates) -> tuple[Adapter, Plan] | None:
        chosen = self.choose(payload, candidates)
        if isinstance(chosen, Fault) or chosen.shape.kind != "lead" or not chosen.has_plans:
            return None
        if chosen.each and len(chosen.entries(payload)) > 1:
            return None
        try:
            return chosen, chosen.plan(payload, self.telling)
        except NoPlanError:
            return None

    def winner(self, fitting: Sequence[Adapter]) -> Adapter | Fault:
        names = tuple(adapter.name for adapter in fitting)
        if names not in self._winners:
            self._winners[names] = self._winner(fitting)
        return self._winners[names]

    def _winner(self, fitting: Sequence[Adapter]) -> Adapter | Fault:
        best = [each for each in fitting if not each.shape.general] or list(fitting)
        beaten = {name for each in best for name in each.shape.over}
        best = [each for each in best if each.name not in beaten] or best
        most = max((each.conditions for each in best), default=0)
        best = [each for each in best if each.conditions == most]
        if len(best) > 1:
            first, second = best[0].name, best[1].name
            return Fault(
                "two_shapes", f"fits the shapes '{first}' and '{second}' equally well: write over: [{second}] in the one that should win"
            )
        return best[0] if best else self.of_name[FALLBACK]


def adapters_of(settings: Settings) -> Adapters:
    """The shapes in force under these settings. Raises RulesError if the header table cannot be read; unreadable shape files are left out."""
    known, headers = load_shapes(settings), HEADERS.load(settings)
    key = tuple((name, id(shape), known.origins[name]) for name, shape in known.shapes.items()), known.faults, id(headers)
    if key not in _made:
        if len(_made) > 8:
            _made.clear()
        _made[key] = Adapters(known, headers)
    return _made[key]


_made: dict[Any, Adapters] = {}
"""Cached by the identity of their sources, which are read once and kept (see `core.declared`)."""


@lru_cache(maxsize=1)
def shipped_adapters() -> Adapters:
    """The shipped shapes."""
    return adapters_of(Settings(rules_dir=None))


def _pattern(words: Sequence[Any]) -> re.Pattern[str]:
    """Matches any of the words, as text; `*` matches anything."""
    return re.compile("|".join(fnmatch.translate(str(word).strip()) for word in words), re.IGNORECASE)


def _possible(where: Path, keys: Keys) -> bool:
    if where.key is not None:
        return where.key in keys.raw or fold_header(where.key) in keys.folded
    return not where.steps or not isinstance(where.steps[0], str) or where.steps[0] in keys.raw


def _there(where: Path, payload: Any) -> bool:
    return any(value is not None for value in where.values(payload))


def _written(micros: int) -> str:
    return datetime.fromtimestamp(micros // 1_000_000, UTC).isoformat()


def _found(where: Path, payload: Any) -> list[Any]:
    """The values there; a single key is compared like a header."""
    found = where.values(payload)
    if found or where.key is None or type(payload) is not dict:
        return found
    folded = fold_header(where.key)
    return [value for key, value in payload.items() if fold_header(key) == folded]


def _says(where: Path, words: re.Pattern[str], payload: Any) -> bool:
    return any(words.match(str(value).strip()) for value in where.values(payload) if type(value) not in (dict, list))


def _scalar(found: list[Any]) -> Any:
    """An answer's value, or the list of its values if there are several."""
    values = [value for value in found if not is_blank(value)]
    if len(values) == 1 and type(values[0]) is list:
        values = [value for value in values[0] if not is_blank(value)]
    return (values[0] if len(values) == 1 else values) if values else None


def _of_json(text: Any) -> Any:
    try:
        return orjson.loads(text) if type(text) is str else text
    except orjson.JSONDecodeError:
        return None


def _titles(answers: Answers, payload: Any) -> dict[str, str]:
    if answers.titles is None:
        return {}
    titles: dict[str, str] = {}
    for container in (found for text in answers.titles.at for found in path(text).values(payload)):
        if type(container) is dict:
            titles |= {str(key): title for key, title in container.items() if type(title) is str}
        for entry in container if type(container) is list else ():
            key = path(answers.titles.id).first(entry)
            title = next((found for text in answers.titles.title if type(found := path(text).first(entry)) is str), None)
            if key is not None and title is not None:
                titles[str(key)] = title
    return titles


def _read(found: list[Path], source: FieldSource, payload: Any) -> Any:
    for where in found:
        values = [value for value in where.values(payload) if not is_blank(value)]
        if values:
            return _transformed(values, source)
    return None


def _read_at(found: list[Path], source: FieldSource, payload: Any) -> Read:
    """The places that `_read` reads, and what it makes of the values there."""
    for where in found:
        places = [place for place, value in where.places(payload) if not is_blank(value)]
        if places:
            return Read(places, partial(_transformed, source=source))
    return Read((), partial(_transformed, source=source))


def _transformed(values: list[Any], source: FieldSource) -> Any:
    value = values[0]
    if source.as_ == "join":
        return values if len(values) > 1 else value
    if source.as_ in ("epoch", "epoch_ms"):
        scale = 1 if source.as_ == "epoch" else 1000
        with_point = str(value).strip()
        try:
            return float(with_point) / scale
        except ValueError:
            return value
    if source.as_ == "last_part" and type(value) is str:
        return value.rstrip("/").rpartition("/")[2]
    if source.as_ == "unprefixed" and type(value) is str:
        return re.sub(r"""^(?:[a-z]{1,2}:|'|="([^"]*)"$)""", r"\1", value)
    return value

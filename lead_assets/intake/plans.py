"""Reads payloads of equal structure by one plan: a shape's reader walks the first of them, and all others are read at the places that it found.

Payloads have the same structure if they differ only in values that no declaration looks at: the same keys in the same order, lists of the same lengths,
the same values empty, and equal texts where a declaration compares them or takes them for the name of an answer.
Does not belong here: how a shape is chosen and read (see `adapters`). A plan only repeats that; a property test holds both together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import polars as pl

from lead_assets.intake.paths import Place, Tree, is_blank, pruned

Structure = Any
"""Hashable; equal for payloads that one plan reads."""

_Value = Callable[[list[Any]], Any]
"""A value of the bag, from what stands at a plan's places."""


class Read(NamedTuple):
    """A value that is read from these places."""

    places: Sequence[Place]
    transform: Callable[[list[Any]], Any]


def structure(value: Any, telling: frozenset[str], told: bool = False) -> Structure:
    """`telling`: keys whose values are part of the structure, because declarations look at them."""
    kind = type(value)
    if kind is dict:
        found: list[Any] = [tuple(value)]
        for key, item in value.items():
            kind = type(item)
            if kind is dict or kind is list or key in telling:
                found.append(structure(item, telling, key in telling))
            elif kind is str:
                found.append(1 if item and not item.isspace() else item)
            else:
                found.append(None if item is None else 1)
        return tuple(found)
    if kind is list:
        return len(value), *[structure(item, telling, told) for item in value]
    if kind is str:
        return value if told or not value or value.isspace() else 1
    return None if value is None else (kind, value) if told else 1


def alike(raws: Sequence[bytes], telling: frozenset[str]) -> list[int | None]:
    """A number for each JSON text, equal for texts that surely have one structure: they differ only in what `structure` does not look at, and none is read
    for it. None where that cannot be told from the text: it has escapes, or what is told is nested."""
    texts = pl.Series(raws, dtype=pl.Binary).cast(pl.String)
    nested, skeleton = _skeleton(telling)
    found = texts.set(texts.str.contains("\\", literal=True) | texts.str.contains(nested), None).str.replace_all(skeleton, "$1$2$3~")
    return found.rank("dense").cast(pl.Int64).to_list()


@lru_cache(8)
def _skeleton(telling: frozenset[str]) -> tuple[str, str]:
    """Patterns of what `alike` does not tell, and of its tokens: a key that tells something and its value, another key and whatever scalar it has, a
    text, an empty one."""
    told = "|".join(pl.escape_regex(key) for key in sorted(telling))
    said = r'"[^"\\]*[^"\\\s][^"\\]*"'
    telling_key = rf'"(?:{told})"\s*:\s*'
    return (
        telling_key + r"\[[^\]]*[\[{]",
        rf'({telling_key}(?:"[^"\\]*"|\[[^\[\]{{}}]*\]|[^\s",\[\]{{}}]+)?)|("[^"\\]*"\s*:\s*)(?:{said}|-?[0-9][-+.0-9eE]*|true|false)?|{said}|("\s*")',
    )


class Landmark:
    """Stands for a value in the payload that is walked."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def __str__(self) -> str:
        raise NoPlanError


class NoPlanError(Exception):
    """The reader makes something of a value, so that its place alone does not say what comes out."""


class Probe:
    """A copy of a payload with marks for all values that its structure leaves open, and the places of its objects and lists."""

    def __init__(self, payload: Any, telling: frozenset[str]) -> None:
        self._places: dict[int, Place] = {}
        self.payload = self._copy(payload, telling, (), told=False)

    def _copy(self, value: Any, telling: frozenset[str], place: Place, *, told: bool) -> Any:
        copy: Any
        if type(value) is dict:
            copy = {key: self._copy(item, telling, (*place, key), told=key in telling) for key, item in value.items()}
        elif type(value) is list:
            copy = [self._copy(item, telling, (*place, index), told=told) for index, item in enumerate(value)]
        else:
            return value if told or is_blank(value) else Landmark(place)
        self._places[id(copy)] = place
        return copy

    def place_of(self, value: Any) -> Place | None:
        """Where the value stands in the payload; None if all payloads of this structure have the same."""
        return value.place if type(value) is Landmark else self._places.get(id(value))


class Plan:
    """Where the values of a bag are, in payloads of one structure."""

    def __init__(
        self,
        probe: Probe,
        bag: Mapping[str, Any],
        reads: Mapping[str, Read],
        tests: Sequence[tuple[Sequence[Place], re.Pattern[str]]],
        tree: Tree,
    ) -> None:
        """`bag`: what the probe's payload says; `reads`: what the declaration points to; `tests`: places of which one shows a test event if it matches;
        `tree`: what is taken out of the payload's rest."""
        self._steps: list[tuple[int, str | int]] = []
        self._standing: dict[Place, int] = {(): 0}
        self._values: dict[str, _Value] = {name: self._as_found(probe, value) for name, value in bag.items()}
        for name, read in reads.items():
            self._values[name] = self._transformed(read)
        self._tests = [(self._at(place), words) for places, words in tests for place in places]
        self._tree = tree

    def bag(self, payload: Any) -> dict[str, Any] | None:
        """The payload's bag; None if it is a test event."""
        found = [payload]
        for source, step in self._steps:
            found.append(found[source][step])
        for at, words in self._tests:
            if type(value := found[at]) not in (dict, list) and words.match(str(value).strip()):
                return None
        return {name: value(found) for name, value in self._values.items()}

    def rest(self, payload: Any) -> dict[str, Any]:
        """What `Adapter.rest` leaves of the payload."""
        left = pruned(payload, self._tree)
        return left if type(left) is dict else {}

    def _at(self, place: Place) -> int:
        """The number under which `bag` finds what stands there."""
        if place not in self._standing:
            self._steps.append((self._at(place[:-1]), place[-1]))
            self._standing[place] = len(self._steps)
        return self._standing[place]

    def _as_found(self, probe: Probe, value: Any) -> _Value:
        place = probe.place_of(value)
        if place is not None:
            return itemgetter(self._at(place))
        if type(value) is list:
            parts = [self._as_found(probe, item) for item in value]
            return lambda found: [part(found) for part in parts]
        return lambda _: value

    def _transformed(self, read: Read) -> _Value:
        at, transform = [self._at(place) for place in read.places], read.transform
        if not at:
            return lambda _: None
        return lambda found: transform([found[index] for index in at])

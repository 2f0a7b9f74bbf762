"""Paths into a payload, such as `entry[].changes[].value.leadgen_id`. They work on any JSON value and never raise because of its content.

    a.b        the value of key b in the object at key a
    a[]        each entry of the list at a (an object counts as a list of one, as in JSON made from XML)
    a[0]       its first entry
    a[k=v]     each entry whose key k has the value v (as text, ignoring case); a[k=v][l=w] both
    a.*        each value of the object at a
    "a[b]".c   put a key with dots or brackets in quotes
    .          the payload itself

Does not belong here: the meaning of a value (see `shapes`), or reading it (see `rows`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_SEGMENT = re.compile(r'(?P<name>"[^"]+"|[^.\[\]"]*)(?P<brackets>(?:\[[^\[\]]*\])*)')
_BETWEEN = re.compile(r'\.(?=(?:[^"]*"[^"]*")*[^"]*$)(?![^\[]*\])')
_EACH, _ALL = object(), object()

Step = str | int | tuple[str, str] | object
Place = tuple[str | int, ...]
"""Keys and indexes from the payload down to one value."""
Tree = dict[str | int, Any] | None
"""Places as a tree of steps."""


@dataclass(frozen=True)
class Path:
    """A parsed path. `steps`: a key, an index, (key, value) of a wanted entry, or each."""

    text: str
    steps: tuple[Step, ...]

    @property
    def key(self) -> str | None:
        """The key, if the path is just one key of the payload."""
        return self.steps[0] if len(self.steps) == 1 and isinstance(self.steps[0], str) else None

    def values(self, payload: Any) -> list[Any]:
        """All values there, in order; none if the payload has a different structure."""
        found = [payload]
        for step in self.steps:
            if type(step) is str:
                found = [value[step] for value in found if type(value) is dict and step in value]
            elif step is _EACH:
                found = [item for value in found for item in (value if type(value) is list else (value,) if type(value) is dict else ())]
            else:
                found = [value for _, value in _stepped([((), value) for value in found], step)]
            if not found:
                break
        return found

    def first(self, payload: Any) -> Any:
        """The first non-empty value there; None if there is none."""
        return next((value for value in self.values(payload) if not is_blank(value)), None)

    def places(self, payload: Any) -> list[tuple[Place, Any]]:
        """All values there, with their places."""
        found: list[tuple[Place, Any]] = [((), payload)]
        for step in self.steps:
            found = list(_stepped(found, step))
        return found

    def parts(self, payload: Any) -> list[Any]:
        """The payload once per value there, with only that value in its list, so that each has the same structure."""
        return [_alone(payload, place) for place, _ in self.places(payload)]


@lru_cache(maxsize=4096)
def path(text: str) -> Path:
    """Parse a path. Raises ValueError with advice for its author."""
    if text == ".":
        return Path(text, ())
    steps: list[Step] = []
    for segment in _BETWEEN.split(text):
        found = _SEGMENT.fullmatch(segment)
        if found is None or not (found["name"] or found["brackets"]):
            raise ValueError(
                f"'{text}' is not a path: write keys with dots between them, and [] for each entry of a list, such as entry[].changes[].value"
            )
        if found["name"] == "*":
            steps.append(_ALL)
        elif found["name"]:
            steps.append(found["name"].strip('"'))
        for inside in re.findall(r"\[([^\[\]]*)\]", found["brackets"]):
            name, equals, value = inside.partition("=")
            if not inside:
                steps.append(_EACH)
            elif equals and name.strip():
                steps.append((name.strip(), value.strip().casefold()))
            elif inside.isdecimal():
                steps.append(int(inside))
            else:
                raise ValueError(f"'{text}' is not a path: brackets must be empty, or contain a number from 0 or key=value")
    return Path(text, tuple(steps))


def is_blank(item: Any) -> bool:
    return item is None or (type(item) is str and not item.strip()) or (type(item) in (list, dict) and not item)


def without(payload: Any, places: set[Place]) -> Any:
    """The payload less the values at the places, and less what is empty then; None if nothing is left."""
    return pruned(payload, tree_of(places))


def tree_of(places: set[Place]) -> Tree:
    """What `pruned` takes out; None for all of it."""
    tree: dict[str | int, Any] = {}
    for place in sorted(places, key=len, reverse=True):
        branch = tree
        for step in place[:-1]:
            branch = branch.setdefault(step, {})
        if place:
            branch[place[-1]] = None
    return None if () in places else tree


def pruned(payload: Any, tree: Tree) -> Any:
    """`without`, for places made into a tree once."""
    return None if tree is None else _pruned(payload, tree)


def _pruned(payload: Any, tree: dict[str | int, Any]) -> Any:
    if type(payload) is dict:
        left = {}
        for key, item in payload.items():
            if key not in tree:
                left[key] = item
            elif (branch := tree[key]) is not None and (kept := _pruned(item, branch)) is not None:
                left[key] = kept
        return left or None
    if type(payload) is list:
        return [
            kept
            for index, item in enumerate(payload)
            if (kept := item if index not in tree else _pruned(item, tree[index]) if tree[index] is not None else None) is not None
        ] or None
    return payload


def _stepped(found: list[tuple[Place, Any]], step: Step) -> Iterator[tuple[Place, Any]]:
    for place, value in found:
        if isinstance(step, str):
            if type(value) is dict and step in value:
                yield (*place, step), value[step]
        elif step is _EACH:
            if type(value) is list:
                yield from (((*place, index), item) for index, item in enumerate(value))
            elif type(value) is dict:
                yield place, value
        elif step is _ALL:
            if type(value) is dict:
                yield from (((*place, key), item) for key, item in value.items())
        elif isinstance(step, int):
            if type(value) is list and step < len(value):
                yield (*place, step), value[step]
        elif isinstance(step, tuple):
            name, wanted = step
            entries = [((*place, index), item) for index, item in enumerate(value)] if type(value) is list else [(place, value)]
            for where, item in entries:
                if type(item) is dict and str(item.get(name)).casefold() == wanted:
                    yield where, item


def _alone(payload: Any, place: Place) -> Any:
    if not place:
        return payload
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        return [_alone(payload[step], rest)]
    return {**payload, step: _alone(payload[step], rest)}

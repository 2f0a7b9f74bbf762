"""What leads of one shape say, by name: their bags, and the first value among several names.

Does not belong here: which names fill a column (see `adapters`), or types (see `typed`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from lead_assets.intake.adapters import MAPPED, Bag
from lead_assets.intake.groups import Group
from lead_assets.intake.headers import IGNORE, OTHER_NAMES, fold_header
from lead_assets.intake.paths import is_blank, path

_SHORTEST_RUN = 8
"""Bags with the same names; where runs are shorter on average, each bag is looked at."""


def bags_of(group: Group, column_map: Mapping[str, str]) -> tuple[list[Bag], set[tuple[str, ...]]]:
    """What the leads say, and the sets of names that they say it under."""
    adapter = group.adapter
    bags: list[Bag] = (
        group.bags or group.payloads
        if adapter.is_flat
        else [
            group.read[index][1] if index in group.read else adapter.bag(payload)
            for index, payload in zip(group.members, group.payloads, strict=True)
        ]
    )
    signatures = group.signatures if adapter.is_flat else {tuple(bag) for bag in bags}
    if column_map:
        said = {fold_header(name) for signature in signatures for name in signature}
        wanted = [(source, OTHER_NAMES.get(target, target)) for source, target in column_map.items() if fold_header(source) not in said]
        found = {target: at for source, target in wanted if target != IGNORE and (at := _path(source))}
        if found:
            mapped = [{MAPPED + target: at.first(payload) for target, at in found.items()} for payload in group.payloads]
            bags = [{**bag, **more} for bag, more in zip(bags, mapped, strict=True)]
            signatures = {tuple(bag) for bag in bags}
    return bags, signatures


def _path(text: str) -> Any:
    try:
        return path(text)
    except ValueError:
        return None


class Bags:
    """The bags of a group, in runs of bags with the same names."""

    def __init__(self, bags: list[Bag], signatures: set[tuple[str, ...]]) -> None:
        self.bags = bags
        self.runs: list[tuple[tuple[str, ...], int, int]] = []
        if len(signatures) == 1:
            self.runs.append((next(iter(signatures)), 0, len(bags)))
            return
        start = 0
        for signature, run in groupby(map(tuple, bags)):
            stop = start + sum(1 for _ in run)
            self.runs.append((signature, start, stop))
            start = stop

    def values(self, names: Sequence[str]) -> list[Any]:
        """The first value in each bag, among the given names, that is neither null nor blank. What is blank may be so in its own way."""
        if len(self.runs) > len(self.bags) // _SHORTEST_RUN:
            found = [None] * len(self.bags)
            for name in names:
                found = [
                    bag[name] if name in bag and (value is None or is_blank(value)) else value
                    for value, bag in zip(found, self.bags, strict=True)
                ]
            return found
        found = []
        for signature, start, stop in self.runs:
            bags = self.bags if stop - start == len(self.bags) else self.bags[start:stop]
            found += _values(bags, [name for name in names if name in signature])
        return found


def _values(bags: Sequence[Bag], names: Sequence[str]) -> list[Any]:
    if not names:
        return [None] * len(bags)
    found = list(map(itemgetter(names[0]), bags))
    for name in names[1:]:
        found = [bag[name] if value is None or is_blank(value) else value for value, bag in zip(found, bags, strict=True)]
    return found


def has_several(names: list[str], signatures: set[tuple[str, ...]]) -> bool:
    """Whether any lead has more than one of the names."""
    return len(names) > 1 and any(sum(name in signature for name in names) > 1 for signature in signatures)

"""The payloads of a chunk by their shape, each with its leads; what is no lead is rejected.

Does not belong here: what the leads say (see `bags`, `rows`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from lead_assets.intake.adapters import FALLBACK, Adapter, Adapters, Bag, Candidates
from lead_assets.intake.nested import is_worth_a_look, leads_within
from lead_assets.intake.payloads import Chunk, Fault, Reject
from lead_assets.intake.plans import Plan, alike, structure

_DEEPEST_BATCH = 3
_WORTH_PLANS = 8
"""Fewer payloads are read one by one."""
_LARGEST_PLANNED = 8 << 10
"""Bytes; larger payloads are read one by one, because plans and their structures stay in memory."""
NOBODY = frozenset({"no_identity", "invalid_email"})


@dataclass
class Group:
    """Leads of one shape: of which payload of the chunk each is, which of its parts, and what it is itself."""

    adapter: Adapter
    members: list[int] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    payloads: list[Any] = field(default_factory=list)
    signatures: set[tuple[str, ...]] = field(default_factory=set)
    read: dict[int, tuple[Plan, Bag]] = field(default_factory=dict)
    """For a payload of the chunk that was read by a plan: the plan, and its bag."""
    bags: list[Bag] = field(default_factory=list)
    """What the leads say, if they were found within their payloads."""


def grouped(chunk: Chunk, adapters: Adapters, rejects: list[Reject]) -> list[Group]:
    """The chunk's payloads by shape; those that are not leads (notices, test events, ties) become rejects."""
    groups: dict[str, Group] = {}
    signatures: dict[tuple[str, ...], list[int]] = {}
    is_table = chunk.kind == "table"
    for index, value in enumerate(chunk.values):
        signature = tuple(value)
        members = signatures.get(signature)
        if members is None:
            members = signatures[signature] = []
        members.append(index)
    for signature, members in signatures.items():
        candidates = adapters.candidates(signature, is_table=is_table)
        if candidates.are_sure:
            chosen = adapters.winner(list(candidates.adapters))
            if isinstance(chosen, Adapter):
                group = groups.setdefault(chosen.name, Group(chosen))
                group.members += members
                group.parts += [1] * len(members) if group.parts else []
                group.payloads += [chunk.values[index] for index in members] if len(members) < len(chunk.values) else chunk.values
                group.signatures.add(signature)
                continue
        for index in _unplanned(chunk, members, candidates, adapters, groups) if not is_table else members:
            part = 0
            for payload, found in _leads_of(chunk.values[index], adapters, is_table, _DEEPEST_BATCH):
                part += 1
                if isinstance(found, Fault):
                    raw = (
                        chunk.raws[index]
                        if payload is chunk.values[index]
                        else orjson.dumps(payload, option=orjson.OPT_PASSTHROUGH_DATETIME)
                    )
                    rejects.append(Reject(chunk.positions[index], raw, found, part=part))
                    continue
                group = groups.setdefault(found.name, Group(found))
                if part > 1 and not group.parts:
                    group.parts = [1] * len(group.members)
                if group.parts or part > 1:
                    group.parts.append(part)
                group.members.append(index)
                group.payloads.append(payload)
                group.signatures.add(tuple(payload))
    return [_sorted(group) for group in groups.values()]


def _unplanned(chunk: Chunk, members: list[int], candidates: Candidates, adapters: Adapters, groups: dict[str, Group]) -> list[int]:
    """Read by plan what has the structure of others; returns what is left."""
    if len(members) < _WORTH_PLANS:
        return members
    small = [index for index in members if len(chunk.raws[index]) <= _LARGEST_PLANNED]
    left = [index for index in members if len(chunk.raws[index]) > _LARGEST_PLANNED] if len(small) < len(members) else []
    of_structure: dict[Any, list[int]] = {}
    known: dict[int, list[int]] = {}
    for index, text in zip(small, alike([chunk.raws[index] for index in small], adapters.telling), strict=True):
        same = None if text is None else known.get(text)
        if same is None:
            same = of_structure.setdefault(structure(chunk.values[index], adapters.telling), [])
            if text is not None:
                known[text] = same
        same.append(index)
    for of, indexes in of_structure.items():
        planned = adapters.plan(of, chunk.values[indexes[0]], candidates) if len(indexes) > 1 else None
        if planned is None:
            left += indexes
            continue
        adapter, plan = planned
        group = groups.setdefault(adapter.name, Group(adapter))
        for index in indexes:
            payload = chunk.values[index]
            bag = plan.bag(payload)
            if bag is None:
                left.append(index)
                continue
            group.read[index] = plan, bag
            group.members.append(index)
            group.parts += [1] if group.parts else []
            group.payloads.append(payload)
        group.signatures.add(tuple(chunk.values[indexes[0]]))
    return sorted(left)


def _sorted(group: Group) -> Group:
    """In the order of the payloads, which plans do not keep. Payloads that are their own bags stay together by their keys (see `Bags`)."""
    if group.adapter.is_flat and not group.parts and not group.read:
        return group
    if any(a > b for a, b in zip(group.members, group.members[1:], strict=False)):
        order = sorted(range(len(group.members)), key=lambda at: (group.members[at], group.parts[at] if group.parts else 1))
        group.payloads = [group.payloads[at] for at in order]
        group.members = [group.members[at] for at in order]
        group.parts = [group.parts[at] for at in order] if group.parts else []
    return group


def _leads_of(payload: Any, adapters: Adapters, is_table: bool, deepest: int) -> Iterator[tuple[Any, Adapter | Fault]]:
    """The leads in a payload, each as a separate payload with its shape; or why there is none."""
    if type(payload) is not dict:
        yield payload, Fault("not_an_object", "an entry of the batch is not an object: send one object per lead")
        return
    chosen = adapters.choose(payload, adapters.candidates(tuple(payload), is_table=is_table))
    if isinstance(chosen, Fault):
        yield payload, chosen
        return
    shape = chosen.shape
    if chosen.each and deepest:
        entries = chosen.entries(payload)
        if shape.kind != "batch" and len(entries) <= 1:
            entries = []
        for entry in entries:
            yield from _leads_of(entry, adapters, is_table, deepest - 1)
        if entries:
            return
        if shape.kind == "batch":
            yield payload, Fault("empty_batch", f"{shape.what}: it is empty")
            return
    if chosen.has_tests and chosen.is_test(payload):
        yield payload, Fault("test_event", f"a test event of {shape.what}: it was kept but is not a lead")
    else:
        yield payload, Fault("notice", shape.advice) if shape.kind == "notice" else chosen


def within(chunk: Chunk, adapters: Adapters, rejects: list[Reject]) -> list[Group]:
    """Payloads without an identity under their own keys that have leads deeper within, by the shape that fits what was found."""
    if chunk.kind not in ("json", "form"):
        return []
    positions = {reject.position for reject in rejects if reject.fault.code in NOBODY and reject.part == 1}
    several = {reject.position for reject in rejects if reject.part > 1}
    groups: dict[str, Group] = {}
    if not positions:
        return []
    for index, position in enumerate(chunk.positions):
        payload = chunk.values[index]
        if position not in positions or position in several or not is_worth_a_look(payload):
            continue
        for part, (own, bag) in enumerate(leads_within(payload, adapters.headers), start=1):
            chosen = adapters.choose(bag, adapters.candidates(tuple(bag), is_table=False))
            if isinstance(chosen, Fault) or not chosen.is_flat or chosen.shape.kind != "lead":
                chosen = adapters.of_name[FALLBACK]
            group = groups.setdefault(chosen.name, Group(chosen))
            group.members.append(index)
            group.parts.append(part)
            group.payloads.append(own)
            group.bags.append(bag)
            group.signatures.add(tuple(bag))
    return list(groups.values())

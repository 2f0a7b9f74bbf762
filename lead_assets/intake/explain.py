"""What a drop is read as, in words: its shapes, which name fills which column, what nobody knows, and a lead as it was read.

Belongs here: the beginning of one drop, looked at for a person. Does not belong here: taking it in (see `ingest`), or printing (see `lead_assets.cli`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO

import orjson

from lead_assets.core.limits import DEFAULT_LIMITS, DropLimits
from lead_assets.intake.adapters import MAPPED, Adapters, is_declared, shipped_adapters
from lead_assets.intake.groups import Group, grouped, within
from lead_assets.intake.parse import parse
from lead_assets.intake.payloads import Chunk, Fault, Reject
from lead_assets.intake.rows import GroupRead, read_group, without_those_found

_STANDING = ("payload", "extra", "given", "position", "part", "email_normalized")
"""Columns that say where a lead stands and what it was sent as, rather than what it says."""
_LOOKED_AT = 2_000
"""Payloads of a drop that are looked at."""


@dataclass
class ShapeRead:
    """How payloads of one shape are read. `fields`: column → the names or paths that fill it, `given.<column>` for what a signal would otherwise buy;
    `unknown`: names that fill none, each with the column that its wording is nearest to; `sample`: the first lead, columns that have a value; `left_over`:
    what of it no column holds."""

    shape: str
    what: str
    leads: int = 0
    fields: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[str, str | None] = field(default_factory=dict)
    sample: dict[str, Any] = field(default_factory=dict)
    left_over: dict[str, Any] = field(default_factory=dict)


@dataclass
class DropRead:
    """`shapes`: most leads first; `rejects`: (code, reason) → how many; `payloads`: how many were looked at, `is_all` if there are no more."""

    shapes: list[ShapeRead]
    rejects: list[tuple[str, str, int]]
    payloads: int
    is_all: bool


def explain(
    data: bytes | BinaryIO,
    *,
    column_map: Mapping[str, str] | None = None,
    limits: DropLimits = DEFAULT_LIMITS,
    adapters: Adapters | None = None,
) -> DropRead:
    """How the beginning of a drop is read. Raises nothing for any bytes."""
    adapters = adapters or shipped_adapters()
    shapes: dict[str, ShapeRead] = {}
    faults: Counter[Fault] = Counter()
    payloads, is_all = 0, False
    chunks = parse(data, limits=limits, column_map=column_map or {})
    for chunk in chunks:
        room = _LOOKED_AT - payloads
        is_all = len(chunk.positions) <= room
        cut = _beginning(chunk, room)
        cut.column_map = column_map or {}
        payloads += len(cut)
        rejects: list[Reject] = list(cut.rejects)
        for group in grouped(cut, adapters, rejects):
            rejects += _add(shapes, cut, group, adapters).rejects
        found = [_add(shapes, cut, group, adapters) for group in within(cut, adapters, rejects)]
        rejects = without_those_found(rejects, found)
        faults.update(reject.fault._replace(field=None) for reject in rejects)
        if payloads >= _LOOKED_AT:
            is_all = is_all and next(chunks, None) is None
            break
    return DropRead(
        # A shape that took no payload, because all of them have their leads deeper within, says nothing.
        sorted((shape for shape in shapes.values() if shape.leads or faults), key=lambda each: -each.leads),
        [(fault.code, fault.reason, count) for fault, count in faults.most_common()],
        payloads,
        is_all,
    )


def _beginning(chunk: Chunk, room: int) -> Chunk:
    if len(chunk.positions) <= room:
        return chunk
    return Chunk(chunk.positions[:room], chunk.raws[:room], chunk.values[:room], chunk.rejects[:room], chunk.headers, chunk.kind)


def _add(shapes: dict[str, ShapeRead], chunk: Chunk, group: Group, adapters: Adapters) -> GroupRead:
    adapter = group.adapter
    read = read_group(chunk, group)
    shape = shapes.setdefault(adapter.name, ShapeRead(adapter.name, adapter.shape.what))
    shape.leads += read.frame.height
    bound = {name for names in read.binding.values() for name in names}
    for column, names in read.binding.items():
        known = shape.fields.setdefault(column, [])
        for name in names:
            if (text := _said(name, column, group)) not in known:
                known.append(text)
    for column, places in adapter.given_at.items():
        said = [where.text for where in places if any(where.first(payload) is not None for payload in group.payloads[:100])]
        if said:
            bound.update(said)
            known = shape.fields.setdefault(f"given.{column}", [])
            known += [text for text in said if text not in known]
    for name in islice((name for signature in read.signatures for name in signature), 20_000):
        if name not in bound and not is_declared(name):
            shape.unknown.setdefault(name, adapters.headers.near(name))
    if not shape.sample and read.frame.height:
        row = read.frame.row(0, named=True)
        shape.sample = {name: value for name, value in row.items() if value is not None and name not in _STANDING}
        shape.left_over = orjson.loads(row["extra"])
    return read


def _said(name: str, column: str, group: Group) -> str:
    """A name as its sender would find it: where a declaration points, the first path that says something in these payloads."""
    if name.startswith(MAPPED):
        return f"--map …={column}"
    if not is_declared(name):
        return name
    found = group.adapter.places_of(column)
    return next((where.text for payload in group.payloads[:100] for where in found if where.first(payload) is not None), found[0].text)

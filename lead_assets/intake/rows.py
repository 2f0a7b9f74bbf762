"""Turns payloads into typed columns: each is read by its shape, and every value is checked once, column by column.

An optional field that cannot be read is null, with its name in `unread_fields` and the sent value in `extra`. Only leads without any identity are
rejected. Takes a `Chunk`; returns a frame of `RawLead`'s columns without those that only the receipt knows (`RECEIPT_COLUMNS`), and rejects.
Does not belong here: JSON or CSV syntax (see `parse`), or normalising (see `lead_assets.identity`): text stays as written.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice, repeat
from operator import itemgetter, lt
from typing import Any, NamedTuple

import orjson
import polars as pl

from lead_assets.contracts import RawLead, canonical_json
from lead_assets.core.columns import widened
from lead_assets.core.limits import DEFAULT_LIMITS
from lead_assets.intake import json_payloads
from lead_assets.intake.adapters import DECLARED, FALLBACK, MAPPED, Adapter, Adapters, Bag, Candidates, is_declared, shipped_adapters
from lead_assets.intake.alike import Alike
from lead_assets.intake.amounts import amount
from lead_assets.intake.headers import IGNORE, OTHER_NAMES, fold_header
from lead_assets.intake.moments import moment, order_of
from lead_assets.intake.nested import is_worth_a_look, leads_within, only_address
from lead_assets.intake.paths import is_blank, path
from lead_assets.intake.payloads import Chunk, Fault, Reject, marked
from lead_assets.intake.plans import Plan, alike, structure

RECEIPT_COLUMNS = ("campaign_id", "drop_sha256", "drop_name", "received_at")
DROP_SCHEMA = pl.Schema({name: dtype for name, dtype in RawLead.polars_schema().items() if name not in RECEIPT_COLUMNS})
"""What a payload itself says: RawLead without what only the drop's receipt knows."""
NOTHING = DROP_SCHEMA.to_frame()
"""The empty frame, built once: building it for each small drop would cost as much as reading the drop."""

_TEXT = [
    name
    for name, dtype in DROP_SCHEMA.items()
    if dtype == pl.String and name not in ("adapter", "payload", "extra", "given", "implied_profile", "email_normalized")
]
_TIMES = frozenset({"submitted_at", "outcome_at"})
_MONEY = frozenset({"loan_amount_requested", "purchase_price", "estimated_arv"})
_TOLD_APART_BY = ("lead_id", "email", "phone", "full_name", "first_name", "last_name", "company", "linkedin_url", "source_campaign")
"""The columns that decide whether a payload is a lead, and in which campaign: all that is read when a drop is only counted."""
_MIN_PHONE_DIGITS = 7
_DEEPEST_BATCH = 3
_SHORTEST_RUN = 8
"""Bags with the same names; where runs are shorter on average, each bag is looked at."""
_WORTH_PLANS = 8
"""Fewer payloads are read one by one."""
_LARGEST_PLANNED = 8 << 10
"""Bytes; larger payloads are read one by one, because plans and their structures stay in memory."""
_PLAIN_UTC = r"^\d{4}-\d\d-\d\dT[0-2]\d:[0-5]\d:[0-5]\dZ$"
_PLAIN_NUMBER = r"^\$?(?:\d{1,9}|\d{1,3}(?:,\d{3})+)(?:\.\d{1,2})?$"
_LINE_END = orjson.Fragment(b"\n")
_NOT_UNIFORM = (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError)
"""What polars raises for a column of mixed types; its values are then checked one by one."""
_NO_IDENTITY = Fault(
    "no_identity",
    "no e-mail, phone, LinkedIn profile, or name with company: send at least one; `lead-assets shapes try FILE` shows how the payload was read",
)

Unread = Callable[[int], None]


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


def rows(
    chunk: Chunk, *, documents: bool = True, adapters: Adapters | None = None, max_payload_bytes: int = DEFAULT_LIMITS.payload_bytes
) -> tuple[pl.DataFrame, list[Reject]]:
    """The chunk's leads in `DROP_SCHEMA`, in order, and all its rejects. Without `documents`, only the columns needed for counting are filled."""
    adapters = adapters or shipped_adapters()
    if chunk.alike is not None:
        columns = _of_columns(chunk, chunk.alike, adapters, documents, max_payload_bytes)
        if columns is None:
            chunk = json_payloads.plain(chunk, max_payload_bytes)
        elif columns.left:
            rest, rejects = rows(json_payloads.plain(chunk, max_payload_bytes, columns.left), documents=documents, adapters=adapters)
            return pl.concat([columns.frame, rest]).sort("position", "part"), rejects
        else:
            return columns.frame, []
    rejects = list(chunk.rejects)
    frames: list[pl.DataFrame] = []
    groups = grouped(chunk, adapters, rejects)
    for group in groups:
        read = read_group(chunk, group, documents=documents)
        frames.append(read.frame)
        rejects += read.rejects
    nested = within(chunk, adapters, rejects)
    found = [read_group(chunk, group, documents=documents) for group in nested]
    frames += [read.frame for read in found]
    groups += nested
    rejects = without_those_found(rejects, found)
    frame = frames[0] if len(frames) == 1 else pl.concat(frames) if frames else NOTHING
    if len(frames) > 1 or not _in_order(groups[0].members if groups else []):
        frame = frame.sort("position", "part")
    rejects = [reject._replace(fault=marked(reject.raw) or reject.fault) for reject in rejects]
    return frame, sorted(rejects, key=lambda reject: (reject.position, reject.part))


_NOBODY = frozenset({"no_identity", "invalid_email"})


def without_those_found(rejects: list[Reject], found: list[GroupRead]) -> list[Reject]:
    """The rejects of a chunk of which some payloads were read once more by `within`: a payload that names nobody within either keeps its first reject."""
    done = {position for read in found for position in read.frame["position"].to_list()}
    if not done:
        return rejects
    left = [reject for reject in rejects if reject.position not in done or reject.fault.code not in _NOBODY]
    return left + [reject for read in found for reject in read.rejects if reject.position in done]


def within(chunk: Chunk, adapters: Adapters, rejects: list[Reject]) -> list[Group]:
    """Payloads without an identity under their own keys that have leads deeper within, by the shape that fits what was found."""
    if chunk.kind not in ("json", "form"):
        return []
    positions = {reject.position for reject in rejects if reject.fault.code in _NOBODY and reject.part == 1}
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


def _in_order(members: list[int]) -> bool:
    return all(map(lt, members, islice(members, 1, None)))


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
    """In the order of the payloads, which plans do not keep. Payloads that are their own bags stay together by their keys (see `_Bags`)."""
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


class GroupRead(NamedTuple):
    """Leads of one shape: their frame, the rejects among them, which names fill which column, and the sets of names that the leads have."""

    frame: pl.DataFrame
    rejects: list[Reject]
    binding: dict[str, list[str]]
    signatures: set[tuple[str, ...]]


def read_group(chunk: Chunk, group: Group, *, documents: bool = True) -> GroupRead:
    """Leads of one shape as columns."""
    adapter, members = group.adapter, group.members
    bags, signatures = _bags(group, chunk.column_map)
    names = {name for signature in signatures for name in signature}
    binding = adapter.binding(names, chunk.column_map)
    said = _Bags(bags, signatures)
    if not documents and (counted := _by_address(chunk, group, said, signatures, binding)) is not None:
        return GroupRead(counted, [], binding, signatures)
    unread: dict[int, list[str]] = {}
    columns: dict[str, pl.Series] = {}
    for column, candidates in binding.items():
        if documents or column in _TOLD_APART_BY:
            columns[column] = _typed(column, said.values(candidates), chunk, group, unread)
    if _has_several(emails := binding.get("email", []), signatures):
        several = [_typed("email", said.values([name]), chunk, group, {}) for name in emails]
        columns |= _best_email(columns["email"], several)
    columns["position"] = pl.Series([chunk.positions[index] for index in members], dtype=pl.Int64)
    columns["part"] = (
        pl.Series(group.parts or [1], dtype=pl.Int64)
        if group.parts or len(members) == 1
        else pl.repeat(1, len(members), dtype=pl.Int64, eager=True)
    )
    unprefixed: pl.Series | pl.Expr = pl.lit(False)
    if adapter.shape.id_prefix and not adapter.is_flat:
        unprefixed = pl.Series([is_blank(bag.get(DECLARED + "lead_id")) for bag in bags], dtype=pl.Boolean)
    frame = _framed(columns, adapter, unprefixed, _documents(group.payloads) if documents else pl.lit("{}"))
    shape = adapter.shape
    frame, faults = _identify(frame, unread)
    if unread:
        frame = _with_parts(frame, said, binding, unread)
    if faults and chunk.kind != "table" and adapter.name != FALLBACK:
        frame, faults = _by_value(frame, faults, bags, unread)
    if documents and shape.gives:
        given = [adapter.given(payload) for payload in group.payloads]
        frame = frame.with_columns(given=pl.when(pl.Series([bool(each) for each in given], dtype=pl.Boolean)).then(_documents(given)))
    if documents:
        frame = frame.with_columns(extra=_extras(group, said, signatures, binding, unread))
        if unread:
            # Joined and split: a list each would be a column each for polars.
            listed = [" ".join(sorted(unread[index])) if index in unread else None for index in range(frame.height)]
            frame = frame.with_columns(unread_fields=pl.Series(listed, dtype=pl.String).str.split(" "))
    if not faults:
        return GroupRead(frame, [], binding, signatures)
    campaigns = frame["source_campaign"]
    rejects = [
        Reject(
            chunk.positions[members[index]],
            orjson.dumps(group.payloads[index]) if group.parts else chunk.raws[members[index]],
            fault,
            campaigns[index],
            part=group.parts[index] if group.parts else 1,
        )
        for index, fault in faults.items()
    ]
    keep = pl.Series([True]).new_from_index(0, frame.height).scatter(list(faults), False)
    return GroupRead(frame.filter(keep), rejects, binding, signatures)


def _framed(
    columns: Mapping[str, pl.Series], adapter: Adapter, unprefixed: pl.Series | pl.Expr, payloads: pl.Series | pl.Expr
) -> pl.DataFrame:
    """Typed columns of leads of one shape as a frame of `DROP_SCHEMA`: text without white space around it, ids after the shape's prefix unless
    `unprefixed`."""
    shape = adapter.shape
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(adapter.name).alias("adapter"),
        pl.lit(shape.profile, dtype=pl.String).alias("implied_profile"),
        payloads.alias("payload"),
        pl.lit("{}").alias("extra"),
    )
    bare = {name: pl.col(name).str.strip_chars() for name in _TEXT if name in columns}
    frame = widened(frame, [pl.when(value.str.len_bytes() > 0).then(value).alias(name) for name, value in bare.items()])
    if shape.id_prefix and "lead_id" in columns:
        frame = frame.with_columns(lead_id=pl.when(unprefixed).then("lead_id").otherwise(shape.id_prefix + ":" + pl.col("lead_id")))
    frame = pl.concat([NOTHING, frame], how="diagonal")  # columns that no payload has are added as nulls, all at once
    return frame.with_columns(pl.col(name).fill_null(value) for name, value in shape.set.items())


class _ReadAtOnce(NamedTuple):
    """What was read of lines that are written alike: the leads, and the indices of lines that have to be read one by one."""

    frame: pl.DataFrame
    left: list[int]


def _of_columns(chunk: Chunk, lines: Alike, adapters: Adapters, documents: bool, max_payload_bytes: int) -> _ReadAtOnce | None:
    """The leads of lines that are written alike, where their keys decide their shape and each column has one key; None where most have to be read one by one.

    A line is left to be read by itself if its value is not plain: a day that has to be interpreted, an amount in words, an address that is none.
    """
    signature = tuple(lines.leaves)
    candidates = adapters.candidates(signature, is_table=False)
    adapter = adapters.winner(list(candidates.adapters)) if candidates.are_sure else None
    if not isinstance(adapter, Adapter) or not adapter.is_flat or (documents and adapter.shape.gives):
        return None
    binding = adapter.binding(signature, {})
    if any(len(names) > 1 or lines.leaves[names[0]].kind == "truth" for names in binding.values()):
        return None
    # What a name means beside others in a payload may not depend on which payloads are read together.
    if any(fold_header(name) in adapters.headers.whole_or_rest for name in signature):
        return None
    if not documents and ("email" not in binding or "source_campaign" in adapter.shape.set):
        return None
    wanted = {column: names[0] for column, names in binding.items() if documents or column in ("email", "source_campaign")}
    try:
        found = lines.columns(signature if documents else list(wanted.values()))
    except pl.exceptions.PolarsError:  # not UTF-8
        return None
    plain = found["is_alike"] & (lines.lines.str.len_bytes() <= max_payload_bytes)
    columns: dict[str, pl.Series] = {}
    for column, name in wanted.items():
        typed = _plain_values(column, found[f"={name}"], lines.leaves[name].kind)
        if typed is None:
            return None
        columns[column], is_plain = typed
        plain &= is_plain
    if not documents:
        named = columns.get("source_campaign", columns["email"].clear(found.height))
        return _left_out(_counted(chunk.positions, [], named), plain & _are_addresses(columns["email"]))
    columns["position"] = pl.Series(chunk.positions, dtype=pl.Int64)
    columns["part"] = pl.repeat(1, found.height, dtype=pl.Int64, eager=True)
    frame = _framed(columns, adapter, pl.lit(False), lines.documents(found, signature))
    if unheld := _unheld(signature, binding):
        frame = frame.with_columns(lines.documents(found, unheld).alias("extra"))
    unread: dict[int, list[str]] = {}
    frame, faults = _identify(frame, unread)
    odd = sorted({*unread, *faults})
    return _left_out(frame, plain.scatter(odd, False) if odd else plain)


def _left_out(frame: pl.DataFrame, plain: pl.Series) -> _ReadAtOnce | None:
    left = (~plain.fill_null(False)).arg_true().to_list()
    if len(left) > frame.height // 4:
        return None
    return _ReadAtOnce(frame.filter(plain) if left else frame, left)


def _plain_values(column: str, found: pl.Series, kind: str) -> tuple[pl.Series, pl.Series] | None:
    """The values of a column that are read without a second look, typed, and for each whether it is such a one; None if none is."""
    said = found.str.strip_chars().str.len_bytes() > 0
    if column in _TIMES:
        times = _plain_times(found)
        return (times, times.is_not_null() | ~said.fill_null(False)) if kind in ("text", "null") else None
    if DROP_SCHEMA[column] == pl.Float64:
        numbers = found.cast(pl.Float64, strict=False) if kind == "number" else _plain_numbers(found)
        return numbers, numbers.is_not_null() | ~said.fill_null(False)
    return found, pl.repeat(True, found.len(), eager=True)


def _are_addresses(emails: pl.Series) -> pl.Series:
    from lead_assets.core.emails import normalise_emails

    return normalise_emails(emails.str.strip_chars())["valid"].fill_null(False)


def _has_several(names: list[str], signatures: set[tuple[str, ...]]) -> bool:
    """Whether any lead has more than one of the names."""
    return len(names) > 1 and any(sum(name in signature for name in names) > 1 for signature in signatures)


def _by_address(
    chunk: Chunk, group: Group, said: _Bags, signatures: set[tuple[str, ...]], binding: dict[str, list[str]]
) -> pl.DataFrame | None:
    """Leads that are counted: where each has an address, which is most often, nothing else needs to be read. None where one has not."""
    emails = binding.get("email", [])
    if not emails or _has_several(emails, signatures) or "source_campaign" in group.adapter.shape.set:
        return None
    email = _texts("email", said.values(emails), lambda _: None).str.strip_chars()
    if email.null_count() or not _are_addresses(email).all():
        return None
    campaign = _texts("source_campaign", said.values(binding.get("source_campaign", [])), lambda _: None)
    return _counted([chunk.positions[index] for index in group.members], group.parts, campaign)


def _counted(positions: list[int], parts: list[int], campaign: pl.Series) -> pl.DataFrame:
    """Leads that are counted: where each stood, and which campaign it names."""
    campaign = campaign.str.strip_chars()
    standing = {
        "position": pl.Series(positions, dtype=pl.Int64),
        "part": pl.Series(parts, dtype=pl.Int64) if parts else pl.repeat(1, len(positions), dtype=pl.Int64, eager=True),
        "source_campaign": campaign.set(campaign == "", None),
    }
    return pl.concat([NOTHING, pl.DataFrame(standing)], how="diagonal")


def _bags(group: Group, column_map: Mapping[str, str]) -> tuple[list[Bag], set[tuple[str, ...]]]:
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


class _Bags:
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


def _typed(column: str, found: list[Any], chunk: Chunk, group: Group, unread: dict[int, list[str]]) -> pl.Series:
    def cannot(index: int) -> None:
        unread.setdefault(index, []).append(column)

    if column in _TIMES:
        return _times(column, found, cannot, lambda: _orders(found, chunk, group))
    if DROP_SCHEMA[column] == pl.Float64:
        return _numbers(column, found, cannot)
    return _texts(column, found, cannot)


def _texts(column: str, found: list[Any], cannot: Unread) -> pl.Series:
    kinds = {*map(type, found)}
    if kinds <= {str, type(None)}:
        with contextlib.suppress(*_NOT_UNIFORM):
            return pl.Series(column, found, dtype=pl.String, strict=True)
    texts = [item if type(item) is str else _text(item) for item in found]
    for index, text in enumerate(texts):
        if text is None and not is_blank(found[index]):
            cannot(index)
    return pl.Series(column, texts, dtype=pl.String)


def _text(item: Any) -> str | None:
    """A scalar as text, a list of scalars separated by commas; None for objects and for truth values, which answer an unknown question."""
    kind = type(item)
    if kind is str:
        return str(item)
    if kind is int:
        return str(item)
    if kind is float:
        return str(int(item)) if item.is_integer() and abs(item) < 1e16 else repr(item)
    if kind is list and item and all(type(each) in (str, int, float) for each in item):
        return ", ".join(text for each in item if (text := _text(each)))
    return None


def _by_value(
    frame: pl.DataFrame, faults: dict[int, Fault], bags: Sequence[Bag], unread: dict[int, list[str]]
) -> tuple[pl.DataFrame, dict[int, Fault]]:
    """The leads again, if those without an identity have one address among their values, whatever its name is. A table's columns are for `--map`."""
    said = {index: bags[index][name] for index, fault in faults.items() if fault is _NO_IDENTITY and (name := only_address(bags[index]))}
    if not said:
        return frame, faults
    emails = frame["email"].scatter(list(said), pl.Series(list(said.values()), dtype=pl.String))
    frame, left = _identify(frame.with_columns(emails.alias("email")), unread)
    # An address that was not one is gone by now, and is the reason all the same.
    return frame, {index: faults[index] for index in left}


_WHOLE = frozenset({"full", "value", "number", "formatted", "text", "raw", "display"})


def _with_parts(frame: pl.DataFrame, said: _Bags, binding: dict[str, list[str]], unread: dict[int, list[str]]) -> pl.DataFrame:
    """The leads with names and numbers that were sent as objects: {"first": …, "last": …}, {"full": …}. Who has no identity else is left to `within`."""
    has_another = frame.select(pl.any_horizontal(pl.col("email", "linkedin_url").is_not_null())).to_series()
    found: dict[str, dict[int, str]] = {}
    for column in ("full_name", "phone"):
        of = [index for index, columns in unread.items() if column in columns and has_another[index]]
        items = said.values(binding[column]) if of else []
        for index in of:
            item = items[index]
            texts = {key: text for key, each in item.items() if (text := _text(each))} if type(item) is dict else {}
            if column == "full_name" and {"first", "last"} <= texts.keys() <= {"prefix", "first", "middle", "last", "suffix"}:
                found.setdefault("first_name", {})[index] = texts["first"].strip()
                found.setdefault("last_name", {})[index] = texts["last"].strip()
            elif len(texts) == 1 and texts.keys() <= _WHOLE:
                found.setdefault(column, {})[index] = next(iter(texts.values())).strip()
            else:
                continue
            unread[index].remove(column)
    for index in [index for index, columns in unread.items() if not columns]:
        del unread[index]
    return frame.with_columns(
        pl.coalesce(column, frame[column].clear(frame.height).scatter(list(of), pl.Series(list(of.values()), dtype=pl.String))).alias(
            column
        )
        for column, of in found.items()
    )


def _numbers(column: str, found: list[Any], cannot: Unread) -> pl.Series:
    kinds = set(map(type, found))
    if kinds <= {int, float, type(None)}:
        with contextlib.suppress(*_NOT_UNIFORM):
            return pl.Series(column, found, dtype=pl.Float64)
    money = column in _MONEY
    texts = pl.Series(column, [item if type(item) is str else None for item in found], dtype=pl.String)
    plain = texts.str.strip_chars()
    easy = _plain_numbers(texts)
    odd = {index: _number(found[index], money) for index in (easy.is_null() & plain.is_not_null() & (plain != "")).arg_true().to_list()}
    if not kinds <= {str, type(None)}:
        with contextlib.suppress(*_NOT_UNIFORM):
            numbers = pl.Series(column, [item if type(item) in (int, float) else None for item in found], dtype=pl.Float64)
            easy = easy.zip_with(easy.is_not_null(), numbers)
        rest = easy.is_null().arg_true().to_list()
        odd |= {index: _number(item, money) for index in rest if type(item := found[index]) is not str and not is_blank(item)}
    for index, number in odd.items():
        if number is None:
            cannot(index)
    return easy.scatter(list(odd), pl.Series(list(odd.values()), dtype=pl.Float64)) if odd else easy


def _plain_numbers(texts: pl.Series) -> pl.Series:
    plain = texts.str.strip_chars()
    # A point followed by three digits groups thousands, so such text is not plain.
    return plain.set(~plain.str.contains(_PLAIN_NUMBER).fill_null(False), None).str.replace_all(r"[$,]", "").cast(pl.Float64, strict=False)


def _number(item: Any, money: bool) -> float | None:
    try:
        if type(item) is str:
            return amount(item, money=money)
        if type(item) is list and len(item) == 1:
            return _number(item[0], money)
        return float(item) if type(item) in (int, float) else None
    except OverflowError:
        return None


def _orders(found: list[Any], chunk: Chunk, group: Group) -> list[Any]:
    """Per lead, the order of day and month: its shape's, or else the one that the column shows in the lead's drop."""
    declared = group.adapter.shape.dates
    if declared or not chunk.drops:
        shown = declared or order_of(item for item in found if type(item) is str)
        return [shown] * len(found)
    of_drop: dict[int, list[str]] = {}
    for item, index in zip(found, group.members, strict=True):
        if type(item) is str:
            of_drop.setdefault(chunk.drops[index], []).append(item)
    orders = {drop: order_of(texts) for drop, texts in of_drop.items()}
    return [orders.get(chunk.drops[index]) for index in group.members]


def _times(column: str, found: list[Any], cannot: Unread, orders_of: Callable[[], list[Any]]) -> pl.Series:
    texts = pl.Series(column, [item if type(item) is str else None for item in found], dtype=pl.String)
    times = _plain_times(texts)
    odd: dict[int, int] = {}
    unclear = times.is_null().arg_true().to_list()
    orders = orders_of() if unclear else []
    for index in unclear:
        item = found[index]
        if is_blank(item):
            continue
        read = moment(item[0] if type(item) is list and len(item) == 1 else item, orders[index])
        if read is None or not -62_135_596_800_000_000 <= read < 253_402_300_800_000_000:
            cannot(index)
        else:
            odd[index] = read
    if odd:
        times = times.scatter(list(odd), pl.Series(list(odd.values()), dtype=pl.Int64).cast(times.dtype))
    return times


def _plain_times(texts: pl.Series) -> pl.Series:
    plain = texts.set(~texts.str.contains(_PLAIN_UTC).fill_null(False), None)
    return plain.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False)


def _best_email(chosen: pl.Series, found: list[pl.Series]) -> dict[str, pl.Series]:
    """Among several addresses of a lead: the first company address, or else the first from a free provider, or else the first; as it was sent (`email`) and,
    if it is one of the former, normalised."""
    from lead_assets.core.emails import email_domains, email_kinds, read_and_normalise

    read = [read_and_normalise(series.str.strip_chars().replace("", None)) for series in found]
    kinds = [email_kinds(email_domains(normal)) for _, normal in read]
    best = [
        pl.when(kind == wanted).then(pl.struct(email=sent, email_normalized=normal))
        for wanted in ("business", "free")
        for (sent, normal), kind in zip(read, kinds, strict=True)
    ]
    unsure = pl.struct(email=chosen, email_normalized=pl.lit(None, dtype=pl.String))
    return pl.select(pl.coalesce(*best, unsure).alias("best")).to_series().struct.unnest().to_dict()


def _documents(values: Sequence[Any]) -> pl.Series:
    """The values as JSON with sorted keys. One call writes them all, separated by line ends, which JSON never contains unescaped: 20 times as fast
    as one call each.
    """
    separated: list[Any] = [_LINE_END] * (2 * len(values) - 1)
    separated[::2] = values
    try:
        texts = orjson.dumps(separated, option=orjson.OPT_SORT_KEYS)[1:-1].split(b",\n,")
    except TypeError:  # an integer beyond 64 bits, which was read exactly
        texts = [canonical_json(value).encode() for value in values]
    return pl.Series(texts, dtype=pl.Binary).cast(pl.String)


def _extras(
    group: Group,
    said: _Bags,
    signatures: set[tuple[str, ...]],
    binding: dict[str, list[str]],
    unread: dict[int, list[str]],
) -> pl.Series | pl.Expr:
    """What no column has: unknown names, names that lose their column to another, values that could not be read, and the rest of a payload that is more than
    its answers."""
    adapter = group.adapter
    unheld = {signature: _unheld(signature, binding) for signature in signatures}
    if adapter.is_flat and not unread and not any(unheld.values()):
        return pl.lit("{}")
    extras: list[Bag] = []
    names_of = chain.from_iterable(repeat(unheld[signature], stop - start) for signature, start, stop in said.runs)
    for index, (bag, payload, names) in enumerate(zip(said.bags, group.payloads, names_of, strict=True)):
        extra = {name: bag[name] for name in names}
        if not adapter.is_flat:
            planned = group.read.get(group.members[index])
            rest = planned[0].rest(payload) if planned else adapter.rest(payload)
            if adapter.rest_is_said:
                extra = {
                    name: rest.get(name, value) if name in payload else value
                    for name, value in extra.items()
                    if name in rest or name not in payload
                }
            else:
                extra = {**rest, **extra}
        for column in unread.get(index, ()):
            for name in binding.get(column, ()):
                if not is_blank(bag.get(name)):
                    extra[name.removeprefix(MAPPED).removeprefix(DECLARED)] = bag[name]
        extras.append(extra)
    return _documents(extras)


def _unheld(signature: tuple[str, ...], binding: dict[str, list[str]]) -> tuple[str, ...]:
    """Names whose value fills no column: unknown ones, and those that lose to another name for the same column."""
    present = set(signature)
    taken = {next((name for name in names if name in present and not is_declared(name)), None) for names in binding.values()}
    return tuple(name for name in signature if name not in taken and not is_declared(name))


def _identify(frame: pl.DataFrame, unread: dict[int, list[str]]) -> tuple[pl.DataFrame, dict[int, Fault]]:
    """Reject leads without any identity, and give an id to those whose sender gave none. An invalid address identifies nobody."""
    from lead_assets.core.columns import fold
    from lead_assets.core.emails import read_and_normalise, shared_mailboxes

    faults: dict[int, Fault] = {}
    sent, known = frame["email"], frame["email_normalized"]
    read, normal = read_and_normalise(sent if known.null_count() == known.len() else sent.set(known.is_not_null(), None))
    email, normal = (
        (sent, normal)
        if read is sent
        else (pl.select(pl.coalesce(read, sent)).to_series(), pl.select(pl.coalesce(normal, known)).to_series())
    )
    invalid = (normal.is_null() & email.is_not_null()).arg_true().to_list()
    for index in invalid:
        unread.setdefault(index, []).append("email")
    frame = frame.with_columns((email.scatter(invalid, None) if invalid else email).alias("email"), normal.alias("email_normalized"))
    # Most leads have both an id and an e-mail, so no identity has to be derived.
    unsure = frame.with_row_index("_index").filter(pl.col("email").is_null() | pl.col("lead_id").is_null())
    if unsure.is_empty():
        return frame, faults
    identities = _identities(
        unsure.with_columns(
            fold(unsure.select(_NAME).to_series()).replace("", None).alias("_name"),
            shared_mailboxes(unsure["email"].str.to_lowercase()).alias("_shared"),
        )
    )
    no_address = set(invalid)
    for index in unsure["_index"].filter(identities.is_null()).to_list():
        faults[index] = _INVALID_EMAIL if index in no_address else _NO_IDENTITY
    derived = [f"ld_{hashlib.sha256(text.encode()).hexdigest()[:16]}" if text else None for text in identities.to_list()]
    ids = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height).scatter(unsure["_index"], pl.Series(derived, dtype=pl.String))
    return frame.with_columns(lead_id=pl.coalesce("lead_id", ids)), faults


_NAME = pl.coalesce("full_name", pl.concat_str(pl.col("first_name", "last_name"), separator=" ", ignore_nulls=True))
# What people type to get past a form: one digit over and over, with or without a country code, or the keys in their order.
_JUNK_PHONE = (
    r"^\d{0,3}(?:0{6,}|1{6,}|2{6,}|3{6,}|4{6,}|5{6,}|6{6,}|7{6,}|8{6,}|9{6,})$|^1?0?(?:1234567(?:8(?:90?)?)?|9876543(?:2(?:10?)?)?)$"
)


def _identities(leads: pl.DataFrame) -> pl.Series:
    """What says who each lead is, the best first; null if nothing does. Colleagues share a switchboard, info@ and their company's page, so a person's name is
    part of it there: two strangers who typed 00000 were one lead, and one of them was lost."""
    digits = pl.col("phone").str.replace_all(r"\D", "")
    is_phone = digits.str.len_bytes().is_between(_MIN_PHONE_DIGITS, 24) & ~digits.str.contains(_JUNK_PHONE)
    profile = pl.col("linkedin_url").str.to_lowercase().str.strip_chars_end("/")
    named = pl.when(pl.col("_name").is_not_null()).then("|" + pl.col("_name")).otherwise(pl.lit(""))
    return leads.select(
        pl.coalesce(
            "email:" + pl.col("email").str.to_lowercase() + pl.when("_shared").then(named).otherwise(pl.lit("")),
            pl.when(is_phone).then("phone:" + digits + named),
            "linkedin:" + profile + pl.when(profile.str.contains(r"/(?:in|pub)/")).then(pl.lit("")).otherwise(named),
            pl.when(pl.col("company").is_not_null() & (_NAME != "")).then("person:" + (_NAME + "|" + pl.col("company")).str.to_lowercase()),
        )
    ).to_series()


_INVALID_EMAIL = Fault(
    "invalid_email", "not a valid e-mail address, and nothing else identifies the lead: correct it, or send another identity", "email"
)

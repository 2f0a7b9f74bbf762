"""Turns payloads into typed columns: each is read by its shape, and every value is checked once, column by column.

An optional field that cannot be read is null, with its name in `unread_fields` and the sent value in `extra`. Only leads without any identity are
rejected. Takes a `Chunk`; returns a frame of `RawLead`'s columns without those that only the receipt knows (`RECEIPT_COLUMNS`), and rejects.
Does not belong here: JSON or CSV syntax (see `parse`), or normalising (see `lead_assets.identity`): text stays as written.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice, repeat
from operator import lt
from typing import NamedTuple

import orjson
import polars as pl

from lead_assets.core.limits import DEFAULT_LIMITS
from lead_assets.intake import json_payloads
from lead_assets.intake.adapters import DECLARED, FALLBACK, MAPPED, Adapters, Bag, shipped_adapters
from lead_assets.intake.alike_rows import rows_of_columns
from lead_assets.intake.bags import Bags, bags_of, has_several
from lead_assets.intake.framed import NOTHING, counted, documents_of, framed, names_left
from lead_assets.intake.groups import NOBODY, Group, grouped, within
from lead_assets.intake.identified import NO_IDENTITY, are_addresses, identify
from lead_assets.intake.nested import only_address
from lead_assets.intake.paths import is_blank
from lead_assets.intake.payloads import Chunk, Fault, Reject, marked
from lead_assets.intake.typed import as_text, as_texts, best_email, column_of

_TOLD_APART_BY = ("lead_id", "email", "phone", "full_name", "first_name", "last_name", "company", "linkedin_url", "source_campaign")
"""The columns that decide whether a payload is a lead, and in which campaign: all that is read when a drop is only counted."""
_WHOLE = frozenset({"full", "value", "number", "formatted", "text", "raw", "display"})


class GroupRead(NamedTuple):
    """Leads of one shape: their frame, the rejects among them, which names fill which column, and the sets of names that the leads have."""

    frame: pl.DataFrame
    rejects: list[Reject]
    binding: dict[str, list[str]]
    signatures: set[tuple[str, ...]]


def rows(
    chunk: Chunk, *, documents: bool = True, adapters: Adapters | None = None, max_payload_bytes: int = DEFAULT_LIMITS.payload_bytes
) -> tuple[pl.DataFrame, list[Reject]]:
    """The chunk's leads in `DROP_SCHEMA`, in order, and all its rejects. Without `documents`, only the columns needed for counting are filled."""
    adapters = adapters or shipped_adapters()
    if chunk.alike is not None:
        columns = rows_of_columns(chunk, chunk.alike, adapters, documents, max_payload_bytes)
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


def _in_order(members: list[int]) -> bool:
    return all(map(lt, members, islice(members, 1, None)))


def without_those_found(rejects: list[Reject], found: list[GroupRead]) -> list[Reject]:
    """The rejects of a chunk of which some payloads were read once more by `within`: a payload that names nobody within either keeps its first reject."""
    done = {position for read in found for position in read.frame["position"].to_list()}
    if not done:
        return rejects
    left = [reject for reject in rejects if reject.position not in done or reject.fault.code not in NOBODY]
    return left + [reject for read in found for reject in read.rejects if reject.position in done]


def read_group(chunk: Chunk, group: Group, *, documents: bool = True) -> GroupRead:
    """Leads of one shape as columns."""
    adapter, members = group.adapter, group.members
    bags, signatures = bags_of(group, chunk.column_map)
    names = {name for signature in signatures for name in signature}
    binding = adapter.binding(names, chunk.column_map)
    said = Bags(bags, signatures)
    if not documents and (counted := _by_address(chunk, group, said, signatures, binding)) is not None:
        return GroupRead(counted, [], binding, signatures)
    unread: dict[int, list[str]] = {}
    columns: dict[str, pl.Series] = {}
    for column, candidates in binding.items():
        if documents or column in _TOLD_APART_BY:
            columns[column] = column_of(column, said.values(candidates), chunk, group, unread)
    if has_several(emails := binding.get("email", []), signatures):
        several = [column_of("email", said.values([name]), chunk, group, {}) for name in emails]
        columns |= best_email(columns["email"], several)
    columns["position"] = pl.Series([chunk.positions[index] for index in members], dtype=pl.Int64)
    columns["part"] = (
        pl.Series(group.parts or [1], dtype=pl.Int64)
        if group.parts or len(members) == 1
        else pl.repeat(1, len(members), dtype=pl.Int64, eager=True)
    )
    unprefixed: pl.Series | pl.Expr = pl.lit(False)
    if adapter.shape.id_prefix and not adapter.is_flat:
        unprefixed = pl.Series([is_blank(bag.get(DECLARED + "lead_id")) for bag in bags], dtype=pl.Boolean)
    frame = framed(columns, adapter, unprefixed, documents_of(group.payloads) if documents else pl.lit("{}"))
    shape = adapter.shape
    frame, faults = identify(frame, unread)
    if unread:
        frame = _with_parts(frame, said, binding, unread)
    if faults and chunk.kind != "table" and adapter.name != FALLBACK:
        frame, faults = _by_value(frame, faults, bags, unread)
    if documents and shape.gives:
        given = [adapter.given(payload) for payload in group.payloads]
        frame = frame.with_columns(given=pl.when(pl.Series([bool(each) for each in given], dtype=pl.Boolean)).then(documents_of(given)))
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


def _by_address(
    chunk: Chunk, group: Group, said: Bags, signatures: set[tuple[str, ...]], binding: dict[str, list[str]]
) -> pl.DataFrame | None:
    """Leads that are counted: where each has an address, which is most often, nothing else needs to be read. None where one has not."""
    emails = binding.get("email", [])
    if not emails or has_several(emails, signatures) or "source_campaign" in group.adapter.shape.set:
        return None
    email = as_texts("email", said.values(emails), lambda _: None).str.strip_chars()
    if email.null_count() or not are_addresses(email).all():
        return None
    campaign = as_texts("source_campaign", said.values(binding.get("source_campaign", [])), lambda _: None)
    return counted([chunk.positions[index] for index in group.members], group.parts, campaign)


def _by_value(
    frame: pl.DataFrame, faults: dict[int, Fault], bags: Sequence[Bag], unread: dict[int, list[str]]
) -> tuple[pl.DataFrame, dict[int, Fault]]:
    """The leads again, if those without an identity have one address among their values, whatever its name is. A table's columns are for `--map`."""
    said = {index: bags[index][name] for index, fault in faults.items() if fault is NO_IDENTITY and (name := only_address(bags[index]))}
    if not said:
        return frame, faults
    emails = frame["email"].scatter(list(said), pl.Series(list(said.values()), dtype=pl.String))
    frame, left = identify(frame.with_columns(emails.alias("email")), unread)
    # An address that was not one is gone by now, and is the reason all the same.
    return frame, {index: faults[index] for index in left}


def _with_parts(frame: pl.DataFrame, said: Bags, binding: dict[str, list[str]], unread: dict[int, list[str]]) -> pl.DataFrame:
    """The leads with names and numbers that were sent as objects: {"first": …, "last": …}, {"full": …}. Who has no identity else is left to `within`."""
    has_another = frame.select(pl.any_horizontal(pl.col("email", "linkedin_url").is_not_null())).to_series()
    found: dict[str, dict[int, str]] = {}
    for column in ("full_name", "phone"):
        of = [index for index, columns in unread.items() if column in columns and has_another[index]]
        items = said.values(binding[column]) if of else []
        for index in of:
            item = items[index]
            texts = {key: text for key, each in item.items() if (text := as_text(each))} if type(item) is dict else {}
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


def _extras(
    group: Group,
    said: Bags,
    signatures: set[tuple[str, ...]],
    binding: dict[str, list[str]],
    unread: dict[int, list[str]],
) -> pl.Series | pl.Expr:
    """What no column has: unknown names, names that lose their column to another, values that could not be read, and the rest of a payload that is more than
    its answers."""
    adapter = group.adapter
    unheld = {signature: names_left(signature, binding) for signature in signatures}
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
    return documents_of(extras)

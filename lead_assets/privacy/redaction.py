"""Takes one person out of a drop, so that everything else in it reads as before.

A payload of theirs becomes a mark that is rejected (`forgotten`) and keeps its campaign, so that receipts still count as many payloads. Where they are
only mentioned, the mention is overwritten at its length. Packed files are packed again; other encodings become UTF-8. The result is read again and compared
before it is used. Does not belong here: who they are (see `person`), or the archive.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from lead_assets.core.limits import DropLimits
from lead_assets.intake import csv_payloads, encodings, form_payloads
from lead_assets.intake.adapters import Adapters
from lead_assets.intake.drops import Drops, read_drops
from lead_assets.intake.parse import parse
from lead_assets.intake.payloads import EXPIRED, FORGOTTEN
from lead_assets.intake.unpacking import Gunzipped, blocks
from lead_assets.privacy.needles import Needles, pack

_BOM = b"\xef\xbb\xbf"
_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*>.*?</(?:\w+:)?row>", re.DOTALL)
_CELL = re.compile(rb"<((?:\w+:)?c)\s([^>]*?)(?:/>|>.*?</\1>)", re.DOTALL)
_SHARED = re.compile(rb"<(?:\w+:)?si\b[^>]*>.*?</(?:\w+:)?si>|<(?:\w+:)?si\s*/>", re.DOTALL)
_INDEX = re.compile(rb"\bt\s*=\s*[\"']s[\"'].*?<(?:\w+:)?v[^>]*>\s*(\d+)\s*<", re.DOTALL)
_REF = re.compile(rb"\br\s*=\s*[\"']([A-Z]{1,3}\d+)[\"']")

New = bytes | tuple[str, ...]
"""What stands in place of a payload: text, or the cells of a row."""

Theirs = Callable[[pl.DataFrame], pl.Series]
"""Which rows (columns of `RawLead` without the receipt's) are the person's."""


class CannotRedact(ValueError):
    """The drop would read differently without them. The text names the drop and the next step."""


@dataclass(frozen=True)
class Redacted:
    """A drop without the person. `payloads`: how many were replaced; `masked`: bytes overwritten in others; `leads`: the rows that were theirs."""

    data: bytes
    payloads: int
    masked: int
    leads: pl.DataFrame


@dataclass(frozen=True)
class DropReading:
    """How drops are read: the limits, the shapes in force, and the column maps of the drop's receipts (at least one)."""

    limits: DropLimits
    adapters: Adapters
    column_maps: Sequence[Mapping[str, str]] = ({},)


def redact(data: bytes, needles: Needles, theirs: Theirs, reading: DropReading, *, name: str = "the drop") -> Redacted:
    """The drop without the person whose rows `theirs` tells and whose texts `needles` has. Raises CannotRedact, naming `name`."""
    replacements: dict[bytes, New] = {}
    leads: list[pl.DataFrame] = []
    before = []
    for column_map in reading.column_maps:
        drops = _read(data, column_map, reading)
        before.append(drops)
        mine = theirs(drops.leads)
        leads.append(drops.leads.filter(mine))
        replacements |= _replacements(data, drops, mine, needles, column_map, reading)
    column_map = reading.column_maps[0]
    changed, masked = _rewritten(data, replacements, needles, column_map, reading)
    own = pl.concat(leads)
    for drops, column_map in zip(before, reading.column_maps, strict=True):
        _compare(drops, _read(changed, column_map, reading), theirs, name)
    return Redacted(changed, len(replacements), masked, own)


def emptied(data: bytes, reading: DropReading) -> bytes:
    """A drop in which a mark stands for each payload, on the line of its position, so that as many are counted in each campaign. Raises CannotRedact."""
    before = _read(data, reading.column_maps[0], reading)
    places = pl.concat(
        [before.leads.select("position", campaign="source_campaign"), before.rejects.select("position", campaign="own_campaign")]
    ).unique("position", keep="first")
    if places.is_empty() or places["position"].min() == 0:
        return EXPIRED.encode()
    campaigns = dict(places.iter_rows())
    last = max(campaigns)
    lines = [_json_mark(campaigns[at], EXPIRED) if at in campaigns else b"" for at in range(1, last + 1)]
    changed = b"\n".join(lines) + b"\n"
    _compare(before, _read(changed, {}, reading), lambda leads: pl.repeat(True, leads.height, dtype=pl.Boolean, eager=True), "a drop")
    return changed


def _read(data: bytes, column_map: Mapping[str, str], reading: DropReading) -> Drops:
    return read_drops([(data, column_map)], limits=reading.limits, adapters=reading.adapters)


def _replacements(
    data: bytes, drops: Drops, mine: pl.Series, needles: Needles, column_map: Mapping[str, str], reading: DropReading
) -> dict[bytes, New]:
    """Payload as it stands in the drop → what replaces it."""
    parts = (
        drops.leads.with_columns(mine=mine)
        .group_by("position")
        .agg(pl.all_horizontal(pl.col("mine").all()).alias("all"), pl.col("mine").any())
    )
    whole = {row["position"]: row["all"] for row in parts.filter("mine").to_dicts()}
    campaigns = dict(drops.leads.select("position", "source_campaign").iter_rows())
    rejected = {
        position
        for position, text in drops.rejects.select("position", "raw_text").iter_rows()
        if position > 0 and needles.finds(text.encode())
    }
    if not whole and not rejected:
        return {}
    found: dict[bytes, New] = {}
    for chunk in parse(data, limits=reading.limits, column_map=column_map):
        for position, raw, value in zip(chunk.positions, chunk.raws, chunk.values, strict=True):
            if position in rejected or whole.get(position):
                found[raw] = _mark(chunk.kind, raw, value, campaigns.get(position))
            elif position in whole:
                of_payload = drops.leads.filter(pl.col("position") == position)
                own = mine.filter(drops.leads["position"] == position)
                found[raw] = _without_part(raw, value, of_payload.filter(own)["payload"], of_payload.filter(~own)["payload"])
        for reject in chunk.rejects:
            if reject.position in rejected and reject.raw_bytes == len(reject.raw):
                found[reject.raw] = _mark(chunk.kind, reject.raw, dict.fromkeys(chunk.headers or ()), reject.campaign)
    return {raw: new for raw, new in found.items() if raw}


def _mark(kind: str, raw: bytes, value: Any, campaign: str | None) -> New:
    """A payload that names nobody and stays in its campaign."""
    if kind == "json":
        return _json_mark(campaign)
    if kind == "form":
        names = [name for name, text in value.items() if campaign and text and text.strip() == campaign]
        from urllib.parse import quote_plus

        kept = "".join(f"{quote_plus(name)}={quote_plus(campaign or '')}&" for name in names[:1])
        return f"{kept}forgotten={FORGOTTEN}&x=".encode()
    cells = [text if campaign and text and str(text).strip() == campaign else "" for text in value.values()] or [""]
    free = next((at for at, cell in enumerate(cells) if not cell), 0)
    # As many lines as before: the rows below keep their position.
    cells[free] = FORGOTTEN + "\n" * raw.count(b"\n")
    return tuple(cells)


def _json_mark(campaign: str | None, mark: str = FORGOTTEN) -> bytes:
    return orjson.dumps({**({"campaign_id": campaign} if campaign else {}), "forgotten": mark})


def _without_part(raw: bytes, value: Any, own: pl.Series, others: pl.Series) -> bytes:
    """A payload of several leads without the texts and numbers that only the person's parts have."""
    keep = {leaf for text in others for leaf in _leaves(orjson.loads(text))}
    gone = {leaf for text in own for leaf in _leaves(orjson.loads(text))} - keep
    return orjson.dumps(_emptied(value, gone))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
        yield str(value)


def _emptied(value: Any, gone: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _emptied(inner, gone) for name, inner in value.items()}
    if isinstance(value, list):
        return [_emptied(inner, gone) for inner in value]
    return None if not isinstance(value, bool) and str(value) in gone else value


def _rewritten(
    data: bytes, replacements: Mapping[bytes, New], needles: Needles, column_map: Mapping[str, str], reading: DropReading
) -> tuple[bytes, int]:
    """The drop's bytes with replacements and masks, packed as they were; and how many bytes were masked."""
    if data.startswith(b"\x1f\x8b"):
        inner, masked = _rewritten(b"".join(Gunzipped(io.BytesIO(data))), replacements, needles, column_map, reading)
        return pack(inner, "gzip"), masked
    if data.startswith(b"PK\x03\x04"):
        return _rewritten_zip(data, replacements, needles, column_map, reading)
    if form_payloads.boundary(data[: 64 << 10]):
        # One form is one payload: if it is theirs, nothing is left of it.
        return (_json_mark(None), 0) if replacements else needles.mask(data)
    text = _decoded(data)
    if text is None:
        return needles.mask(data)
    changed = text
    if replacements:
        rows = any(isinstance(new, tuple) for new in replacements.values())
        dialect = csv_payloads.sniff(text, column_map, reading.limits.payload_bytes) if rows else None
        for raw, new in replacements.items():
            changed = _replaced(changed, raw, new, dialect.delimiter if dialect else ",")
    changed, masked = needles.mask(changed)
    if changed == text:
        return data, 0
    return (changed if data.isascii() or text == data else _BOM + changed), masked


def _decoded(data: bytes) -> bytes | None:
    """The text as payloads are read from it: UTF-8, with modern line ends; None if it is no text."""
    from lead_assets.intake.parse import _with_line_ends
    from lead_assets.intake.unpacking import unreadable

    if unreadable(data[: 64 << 10]) is not None:
        return None
    return b"".join(_with_line_ends(encodings.Decoded(blocks(io.BytesIO(data)))))


def _replaced(text: bytes, raw: bytes, new: New, delimiter: str) -> bytes:
    if isinstance(new, bytes):
        return text.replace(raw, new) if raw.startswith(b"{") else _whole_lines(text, raw, new)
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(new)
    return _whole_lines(text, raw, line.getvalue().encode())


def _whole_lines(text: bytes, raw: bytes, new: bytes) -> bytes:
    """Replace rows that are exactly this: a row may also be the end of a longer one."""
    at = 0
    parts = []
    while (found := text.find(raw, at)) >= 0:
        end = found + len(raw)
        alone = (found == 0 or text[found - 1 : found] == b"\n" or text[:found] == _BOM) and text[end : end + 1] in (b"", b"\n", b"\r")
        parts += [text[at:found], new if alone else raw]
        at = end
    return b"".join([*parts, text[at:]])


def _rewritten_zip(
    data: bytes, replacements: Mapping[bytes, New], needles: Needles, column_map: Mapping[str, str], reading: DropReading
) -> tuple[bytes, int]:
    made = io.BytesIO()
    masked = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        is_workbook = any(name.lstrip("/") == "xl/workbook.xml" for name in archive.namelist())
        contents = {member.filename: archive.read(member) for member in archive.infolist()}
        if is_workbook:
            contents, masked = _workbook(contents, replacements, needles)
        for member in archive.infolist():
            content = contents[member.filename]
            if not is_workbook and not member.is_dir():
                content, count = _rewritten(content, replacements, needles, column_map, reading)
                masked += count
            info = zipfile.ZipInfo(needles.mask_text(member.filename)[0], member.date_time)
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, content)
    return made.getvalue(), masked


def _workbook(contents: dict[str, bytes], replacements: Mapping[bytes, New], needles: Needles) -> tuple[dict[str, bytes], int]:
    """A workbook's members: their rows become one cell with the mark, and the shared texts that only those rows show are emptied."""
    import html

    shared_name = next((name for name in contents if name.casefold().endswith("sharedstrings.xml")), None)
    shared = [_plain(each) for each in _SHARED.findall(contents[shared_name])] if shared_name else []
    wanted = [set(raw.decode("utf-8", "replace").split("\t")) - {""} for raw in replacements]
    used: set[int] = set()
    freed: set[int] = set()
    changed = dict(contents)
    for name, content in contents.items():
        if not name.casefold().startswith("xl/worksheets/sheet"):
            continue

        def row_of(found: re.Match[bytes]) -> bytes:
            cells = _CELL.findall(found[0])
            indexes = {int(each) for cell in _CELL.finditer(found[0]) for each in _INDEX.findall(cell[0])}
            texts = {html.unescape(shared[at]) for at in indexes if at < len(shared)} | set(
                filter(None, (html.unescape(_plain(cell[0])) for cell in _CELL.finditer(found[0]) if not _INDEX.search(cell[0])))
            )
            theirs = any(texts & row and needles.finds("\n".join(texts).encode()) and len(texts & row) * 2 >= len(row) for row in wanted)
            if not theirs or not cells:
                used.update(indexes)
                return found[0]
            freed.update(indexes)
            campaigns = {cell for new in replacements.values() if isinstance(new, tuple) for cell in new} - {"", FORGOTTEN}
            kept, marked = [], False
            for cell in _CELL.finditer(found[0]):
                reference = _REF.search(cell[2])
                at = f' r="{reference[1].decode()}"' if reference else ""
                index = _INDEX.search(cell[0])
                shows = html.unescape(shared[int(index[1])] if index and int(index[1]) < len(shared) else _plain(cell[0]))
                if shows.strip() in campaigns:
                    kept.append(cell[0])
                    used.update(int(each) for each in _INDEX.findall(cell[0]))
                elif not marked:
                    kept.append(f'<c{at} t="inlineStr"><is><t>{FORGOTTEN}</t></is></c>'.encode())
                    marked = True
            head = found[0][: found[0].index(b">") + 1]
            return head + b"".join(kept) + b"</row>"

        changed[name] = _ROW.sub(row_of, content)
    if shared_name:
        gone = freed - used
        numbers = iter(range(len(shared)))
        changed[shared_name] = _SHARED.sub(lambda found: b"<si><t></t></si>" if next(numbers) in gone else found[0], contents[shared_name])
    masked = 0
    for name, content in changed.items():
        changed[name], count = needles.mask(content)
        masked += count
    return changed, masked


def _plain(xml: bytes) -> str:
    return re.sub(rb"<[^>]*>", b"", xml).decode("utf-8", "replace")


def _compare(before: Drops, after: Drops, theirs: Theirs, name: str) -> None:
    """Everybody else reads as before, and as many payloads are counted in each campaign."""
    told = ["position", "lead_id", "own_campaign"]
    others = before.leads.filter(~theirs(before.leads)).select(told).sort(told)
    left = after.leads.select(told).sort(told)
    counts = [
        pl.concat([each.leads.select("part", "own_campaign"), each.rejects.select("part", "own_campaign")])
        .filter(pl.col("part") == 1)
        .group_by("own_campaign")
        .len()
        .sort("own_campaign")
        for each in (before, after)
    ]
    if not others.equals(left) or not counts[0].equals(counts[1]):
        raise CannotRedact(
            f"{name}: without this person it would read differently ({others.height} other leads before, {left.height} after), so nothing was changed: "
            "correct the file by hand, ingest it, and forget again"
        )

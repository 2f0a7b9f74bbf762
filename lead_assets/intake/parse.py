"""Turns a drop's bytes into payloads. The content decides the format, never the name. A bad payload never affects its neighbours.

Belongs here: detecting the format. For unpacking see `unpacking`; encodings: `encodings`; formats: `json_payloads`, `csv_payloads`, `sheet_payloads`,
`form_payloads`. However large the drop is, only some megabytes of it are in memory.
Does not belong here: the meaning of a payload's fields (see `adapters`, `rows`), or where its bytes come from.
"""

from __future__ import annotations

import io
import itertools
import re
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import orjson

from lead_assets.core.limits import DropLimits
from lead_assets.intake import csv_payloads, encodings, form_payloads, json_payloads, sheet_payloads, unpacking
from lead_assets.intake.payloads import Chunk, Fault, whole_file
from lead_assets.intake.text import WHITE, Text

_OBJECT_LINE = re.compile(rb"\n[ \t]*\{")
_SNIFFED = 64 << 10
_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
_OTHER_ZIPS = (
    ("xl/workbook.bin", "a binary workbook (.xlsb)"),
    ("word/document.xml", "a text document"),
    ("ppt/presentation.xml", "a presentation"),
    ("content.xml", "an OpenDocument file"),
    ("Index/Document.iwa", "a Numbers or Pages file"),
)
_IGNORED_MEMBER = re.compile(r"(^|/)(__MACOSX/|\.|Thumbs\.db$|desktop\.ini$)")


def parse(
    data: bytes | BinaryIO, *, limits: DropLimits, column_map: Mapping[str, str] | None = None, as_columns: bool = False
) -> Iterator[Chunk]:
    """The payloads of a drop (bytes, or a seekable stream), some thousands at a time; at least one payload or reject for any content. Raises nothing
    for any content.

    A reject at position 0 means the whole file. `as_columns`: lines of JSON that seem to be written alike are left as they are (see `Chunk.alike`).
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    received = 0
    for chunk in _file(stream, limits, column_map or {}, within_zip=False, as_columns=as_columns):
        received += len(chunk)
        yield chunk
    if not received:
        stream.seek(0)
        head = stream.read(_SNIFFED)
        fault = Fault("empty_file", "the file has no payload: it is empty, or has only a header")
        yield whole_file(fault, head, stream.seek(0, io.SEEK_END))


def _file(
    stream: BinaryIO, limits: DropLimits, column_map: Mapping[str, str], *, within_zip: bool, as_columns: bool = False
) -> Iterator[Chunk]:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(_SNIFFED)
    fault: Fault | None
    if size > limits.drop_bytes:
        yield whole_file(unpacking.too_big(limits.drop_bytes), head, size)
    elif head.startswith(_GZIP):
        if fault := unpacking.gzip_fault(stream, size, limits):
            yield whole_file(fault, b"", size)
            return
        unpacked = unpacking.Gunzipped(stream)
        for chunk in _content(unpacked, limits, column_map, as_columns=as_columns):
            if unpacked.fault:  # concerns the whole file, whose end is missing because of it
                chunk.rejects = [reject for reject in chunk.rejects if reject.position]
            yield chunk
        if unpacked.fault:
            yield whole_file(unpacked.fault, b"", size)
    elif head.startswith(_ZIP):
        archive = unpacking.zip_of(stream, size, limits)
        if isinstance(archive, Fault):
            yield whole_file(archive, b"", size)
            return
        with archive:
            yield from _zipped(archive, size, limits, column_map, within_zip=within_zip)
    elif head.startswith(unpacking.OLE):
        yield whole_file(_ole_fault(stream), b"", size)
    elif fault := unpacking.unreadable(head):
        yield whole_file(fault, head, size)
    else:
        yield from _content(unpacking.blocks(stream), limits, column_map, as_columns=as_columns)


def _content(blocks: Iterable[bytes], limits: DropLimits, column_map: Mapping[str, str], *, as_columns: bool) -> Iterator[Chunk]:
    """Payloads of unpacked bytes."""
    source = iter(blocks)
    first = next(source, b"")
    whole = itertools.chain((first,), source)
    if mark := form_payloads.boundary(first[:_SNIFFED]):
        yield from form_payloads.multipart(whole, mark, column_map, limits.payload_bytes)
        return
    decoded = encodings.Decoded(whole)
    for chunk in _payloads(Text(_with_line_ends(decoded)), limits, column_map, as_columns=as_columns):
        chunk.encoding = decoded.guess
        yield chunk


def _payloads(text: Text, limits: DropLimits, column_map: Mapping[str, str], *, as_columns: bool) -> Iterator[Chunk]:
    most = limits.payload_bytes
    text.skip_white()
    text.fill(most + 1)
    first = _first_line(text.data)
    if not first:
        return
    data = text.data
    if data.lstrip(WHITE)[:1] == b"[":
        yield from json_payloads.array(text, most)
    elif first[:1] == b"{":
        if _has_object_a_line(text, first, most):
            yield from json_payloads.lines(text, most, as_columns=as_columns)
        else:
            yield from json_payloads.sequence(text, most)
    elif form_payloads.is_form_line(first, column_map):
        yield from form_payloads.lines(text, column_map, most)
    elif dialect := csv_payloads.sniff(data, column_map, most):
        yield from csv_payloads.rows(text, dialect, most)
    elif b"\n{" in data:
        yield from json_payloads.lines(text, most)
    else:
        yield _unrecognised(text, most)


def _has_object_a_line(text: Text, first: bytes, max_payload_bytes: int) -> bool:
    """Whether JSON that starts with an object is NDJSON, or one or more objects over many lines. In both, the first line may be broken."""
    if first == b"{":
        return False
    if len(first) > max_payload_bytes or _is_json(first):
        return True
    if text.ended and len(text.data) <= max_payload_bytes and _is_json(text.data):
        return False
    return _OBJECT_LINE.search(text.data) is not None


def _unrecognised(text: Text, max_payload_bytes: int) -> Chunk:
    """A file that is neither JSON objects nor a table is one reject, however many lines it has."""
    data = text.data
    if text.ended and len(data) <= max_payload_bytes:
        fault, _ = json_payloads.diagnose(data.strip(WHITE))
        if fault and fault.code != "not_json":
            return whole_file(fault, data, len(data))
    fault = Fault(
        "not_json", "neither JSON nor a table with known headers: send JSON, NDJSON, CSV or XLSX, or name the columns with --map from=to"
    )
    size = 0
    while not text.ended:
        size += len(text.data)
        text.more(len(text.data))
    return whole_file(fault, data, size + len(text.data))


def _zipped(archive: zipfile.ZipFile, size: int, limits: DropLimits, column_map: Mapping[str, str], *, within_zip: bool) -> Iterator[Chunk]:
    """A workbook's rows; for any other zip, the payloads of its files, with positions continuing from file to file."""
    names = {name.lstrip("/") for name in archive.namelist()}
    if "xl/workbook.xml" in names:
        yield from sheet_payloads.payloads(archive, size, limits, column_map)
        return
    if kind := next((kind for name, kind in _OTHER_ZIPS if name in names), None):
        yield whole_file(unpacking.unsupported(kind), b"", size)
        return
    if within_zip:
        yield whole_file(unpacking.unsupported("a zip within a zip"), b"", size)
        return
    base = 0
    members = [member for member in archive.infolist() if not member.is_dir() and not _IGNORED_MEMBER.search(member.filename)]
    for number, member in enumerate(members, start=1):
        last = base
        with tempfile.TemporaryFile(prefix="lead-assets-") as copy:
            try:
                for block in unpacking.member_blocks(archive, member):
                    copy.write(block)
            except unpacking.DAMAGE:
                fault = Fault("corrupt_zip", f"file {number} in the zip is damaged, so nothing was read from it: send it again")
                yield _moved(whole_file(fault, b"", member.file_size), base)
                base += 1
                continue
            for chunk in _file(copy, limits, column_map, within_zip=True):
                moved = _moved(chunk, base)
                last = max([last, *moved.positions[-1:], *(reject.position for reject in moved.rejects)])
                yield moved
        base = last + 1


def _moved(chunk: Chunk, base: int) -> Chunk:
    if base:
        chunk.positions = [position + base for position in chunk.positions]
        chunk.rejects = [reject._replace(position=reject.position + base) for reject in chunk.rejects]
    return chunk


def _ole_fault(stream: BinaryIO) -> Fault:
    """The kind of a compound file: Office uses them for workbooks with a password ([MS-OFFCRYPTO] 2.3.4.4) and for its old formats."""
    before = b""
    for block in unpacking.blocks(stream):
        if "EncryptedPackage".encode("utf-16-le") in before + block:
            return Fault("password_protected", "the workbook has a password: save it without one (File, Info, Protect Workbook), or as CSV")
        before = block[-64:]
    return unpacking.unsupported("a workbook or document of Office 97 to 2003 (.xls)")


def _with_line_ends(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The text, with modern line ends if its first part has only those of old spreadsheets."""
    source = iter(blocks)
    first = next(source, b"")
    while len(first) < _SNIFFED and (block := next(source, None)) is not None:
        first += block
    old = b"\r" in first and b"\n" not in first
    yield first.replace(b"\r", b"\n") if old else first
    for block in source:
        yield block.replace(b"\r", b"\n") if old else block


def _first_line(data: bytes) -> bytes:
    stripped = data.lstrip(WHITE) if data[:1] in (b" ", b"\t", b"\r", b"\n") else data
    end = stripped.find(b"\n")
    return stripped[: end if end >= 0 else len(stripped)].strip(WHITE)


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True

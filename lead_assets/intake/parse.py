"""Bytes to payloads: what a drop is made of is told by its content, never by its name. One bad payload never costs its neighbours.

Here: unpacking (gzip), encodings, and which format it is. The formats themselves: `json_payloads`, `csv_payloads`.
Does not belong here: what a payload's fields mean (see `adapters`, `rows`), and where its bytes come from.
"""

from __future__ import annotations

import codecs
import re
import zlib
from collections.abc import Iterator, Mapping

import orjson

from lead_assets.intake import csv_payloads, json_payloads
from lead_assets.intake.payloads import Chunk, Fault, Reject

_MAX_UNPACKED = 4 << 30
"""Bytes a gzip drop may unpack to: a 4 MB bomb unpacks to 4 GB."""

_OBJECT_LINE = re.compile(rb"\n[ \t]*\{")
_WHITE = b" \t\r\n"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def parse(data: bytes, *, max_payload_bytes: int, column_map: Mapping[str, str] | None = None) -> Iterator[Chunk]:
    """The payloads of a drop, some thousands at a time; at least one payload or reject for any bytes. Raises nothing for any content.

    A reject at position 0 means the whole file.
    """
    size = len(data)
    data, packing_fault = _unpack(data)
    received = 0
    for chunk in _payloads(_to_utf8(data), max_payload_bytes, column_map or {}):
        if packing_fault:  # is what the file as a whole suffers from; its end is missing because of it
            chunk.rejects = [reject for reject in chunk.rejects if reject.position]
        received += len(chunk)
        yield chunk
    if packing_fault:
        yield Chunk(rejects=[Reject(0, b"", packing_fault, size=size)])
    elif not received:
        fault = Fault("empty_file", "the file holds no payload: nothing was sent, or a header alone")
        yield Chunk(rejects=[Reject(0, data, fault)])


def _payloads(data: bytes, max_payload_bytes: int, column_map: Mapping[str, str]) -> Iterator[Chunk]:
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")  # line ends of old spreadsheets
    first = _first_line(data)
    if not first:
        return
    if data.lstrip(_WHITE)[:1] == b"[":
        yield from json_payloads.array(data, max_payload_bytes)
    elif first[:1] == b"{":
        if _has_object_a_line(data, first, max_payload_bytes):
            yield from json_payloads.lines(data, max_payload_bytes)
        else:
            yield from json_payloads.sequence(data, max_payload_bytes)
    elif dialect := csv_payloads.sniff(data, column_map, max_payload_bytes):
        yield from csv_payloads.rows(data, dialect, max_payload_bytes)
    elif b"\n{" in data:
        yield from json_payloads.lines(data, max_payload_bytes)
    else:
        yield _unrecognised(data, max_payload_bytes)


def _has_object_a_line(data: bytes, first: bytes, max_payload_bytes: int) -> bool:
    """Whether JSON that begins with an object is NDJSON, or one object (or several) over many lines. Its first line may be broken in either."""
    if first == b"{":
        return False
    if len(first) > max_payload_bytes or _is_json(first):
        return True
    if len(data) <= max_payload_bytes and _is_json(data):
        return False
    return _OBJECT_LINE.search(data) is not None


def _unrecognised(data: bytes, max_payload_bytes: int) -> Chunk:
    """A file that is neither JSON objects nor a table is one reject, however many lines it has."""
    if len(data) <= max_payload_bytes:
        fault, _ = json_payloads.diagnose(data.strip(_WHITE))
        if fault and fault.code != "not_json":
            return Chunk(rejects=[Reject(0, data, fault)])
    fault = Fault(
        "not_json", "neither JSON nor a table with known headers: send JSON, NDJSON or CSV, or name the columns with --map from=to"
    )
    return Chunk(rejects=[Reject(0, data, fault)])


def _first_line(data: bytes) -> bytes:
    stripped = data.lstrip(_WHITE) if data[:1] in (b" ", b"\t", b"\r", b"\n") else data
    end = stripped.find(b"\n")
    return stripped[: end if end >= 0 else len(stripped)].strip(_WHITE)


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _unpack(data: bytes) -> tuple[bytes, Fault | None]:
    """Gzip content (by its first bytes), as far as it can be read, and what ended it early. Anything else is returned as it is."""
    if data[:2] != b"\x1f\x8b":
        return data, None
    parts: list[bytes] = []
    size = 0
    rest = data
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            while rest and not member.eof:
                part = member.decompress(rest, 16 << 20)
                parts.append(part)
                size += len(part)
                if size > _MAX_UNPACKED:
                    return b"".join(parts), Fault("file_too_large", f"unpacks to more than {_MAX_UNPACKED} bytes: send it in parts")
                rest = member.unconsumed_tail
        except zlib.error:
            return b"".join(parts), Fault("corrupt_gzip", "the gzip data is damaged; what stands before the damage was read: send it again")
        if not member.eof:
            return b"".join(parts), Fault(
                "truncated_gzip", "the gzip data ends early; what stands before the cut was read: send it again whole"
            )
        rest = member.unused_data.lstrip(b"\0")  # padding that tape and block devices leave
    return b"".join(parts), None


def _to_utf8(data: bytes) -> bytes:
    """The same text in UTF-8 without a mark. What cannot be decoded becomes a byte that is no UTF-8, so that only its own payload is rejected."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :] if encoding == "utf-8" else _recode(data, encoding)
    # RFC 4627 §3: JSON without a mark shows its encoding by where the zero bytes of its first two characters stand.
    if data[:1] in (b"{", b"[") and data[1:2] == b"\0" and data[2:4] != b"\0\0":
        return _recode(data, "utf-16-le")
    if data[:1] == b"\0" and data[1:2] in (b"{", b"["):
        return _recode(data, "utf-16-be")
    return data


def _recode(data: bytes, encoding: str) -> bytes:
    return data.decode(encoding, "lead_assets.mark").encode("utf-8", "surrogateescape")


def _mark(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    raise error


codecs.register_error("lead_assets.mark", _mark)

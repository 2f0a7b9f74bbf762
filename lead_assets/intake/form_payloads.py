"""Turns HTML form bodies into payloads: form-encoded (one per line) and multipart (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html).

A repeated field keeps each value, as `name` and `name_2`. Of attached files, only the name is kept.
Does not belong here: which field means what (see `headers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote_to_bytes

from lead_assets.intake.encodings import guess
from lead_assets.intake.headers import bind
from lead_assets.intake.json_payloads import C0
from lead_assets.intake.payloads import MAX_RAW_TEXT, Chunk, Fault, Reject, campaign_of, too_large, whole_file
from lead_assets.intake.text import WHITE, Text

_NAME = rb"[\w.\-~%+*\[\]!'()$]{1,200}"
_FORM_LINE = re.compile(_NAME + rb"=[^&]*+(?:&" + _NAME + rb"=[^&]*+)*+&?")
_MULTIPART = re.compile(rb"\s*--([^\r\n]{1,200})\r?\n(?:[\w-]+:[^\r\n]*\r?\n){0,4}?content-disposition:\s*form-data", re.IGNORECASE)
_MOST_PARTS = 20_000
_ENCODING = Fault("wrong_encoding", "the form's text is not UTF-8, and its encoding is unclear: send it as UTF-8")


def is_form_line(line: bytes, column_map: Mapping[str, str]) -> bool:
    """Whether a line is a form-encoded body: several names and values, or one with a known name."""
    if not _FORM_LINE.fullmatch(line):
        return False
    if b"&" in line:
        return True
    _, keys = bind([_text(line.partition(b"=")[0]) or ""], column_map)
    return any(keys.values())


def boundary(head: bytes) -> bytes | None:
    """The boundary of a multipart body that starts like this; None if it is not multipart."""
    found = _MULTIPART.match(head)
    return found[1].strip() if found else None


def lines(text: Text, column_map: Mapping[str, str], max_payload_bytes: int) -> Iterator[Chunk]:
    """Form-encoded bodies, one per line; position is the line, from 1."""
    line_number = text.lines_gone + 1
    for block, long in text.lines(max_payload_bytes):
        if long:
            if block:
                yield Chunk(rejects=[Reject(line_number, block, too_large(long, max_payload_bytes), size=long)], kind="form")
            continue
        for number, raw in enumerate(block.split(b"\n"), start=line_number):
            if raw := raw.strip(WHITE):
                yield _payload(number, raw[: MAX_RAW_TEXT + 1], len(raw), _pairs(raw), column_map, max_payload_bytes)
        line_number += block.count(b"\n")


def multipart(blocks: Iterable[bytes], mark: bytes, column_map: Mapping[str, str], max_payload_bytes: int) -> Iterator[Chunk]:
    """The payload of one multipart body, at position 1. The content of attached files is skipped, however large."""
    from multipart import MultipartError, PushMultipartParser  # for few drops

    head, size, held = b"", 0, 0
    pairs: list[tuple[str, str | None]] = []
    value: list[bytes] | None = None
    name, charset = "", None
    parser = PushMultipartParser(mark, max_segment_count=_MOST_PARTS, max_header_size=16 << 10)
    try:
        with parser:
            for block in blocks:
                size += len(block)
                head = head or block[: MAX_RAW_TEXT + 1]
                # Bodies saved by hand have the line ends of their operating system.
                for event in parser.parse(block if b"\r\n" in head else block.replace(b"\n", b"\r\n")):
                    if event is None:
                        if value is not None:
                            pairs.append((name, _text(b"".join(value), charset)))
                        value = None
                    elif isinstance(event, bytes | bytearray):
                        held += len(event) if value is not None else 0
                        if value is not None and held <= max_payload_bytes:
                            value.append(bytes(event))
                    elif event.filename is not None:
                        pairs.append((event.name or "", event.filename))
                    else:
                        name, charset, value = event.name or "", event.charset, []
                if parser.closed:
                    break
    except MultipartError as error:
        fault = Fault(
            "broken_form", f"the multipart body cannot be read ({type(error).__name__}): it was cut off or damaged; send it again whole"
        )
        yield whole_file(fault, head, size)
        return
    yield _payload(1, head, max(held, 1), pairs, column_map, max_payload_bytes)


def _payload(
    position: int, raw: bytes, size: int, pairs: list[tuple[str, str | None]], column_map: Mapping[str, str], max_payload_bytes: int
) -> Chunk:
    headers, keys = bind([name for name, _ in pairs], column_map)
    values = {header: text or None for header, (_, text) in zip(headers, pairs, strict=True)}
    fault: Fault | None = None
    if size > max_payload_bytes:
        fault = too_large(size, max_payload_bytes)
    elif any(text is None for _, text in pairs):
        fault = _ENCODING
    elif hidden := next((header for header, text in values.items() if text and C0.search(text.encode())), None):
        fault = Fault("control_characters", "the text contains a control character or NUL: remove it", hidden[:100])
    if fault:
        return Chunk(rejects=[Reject(position, raw, fault, campaign_of(values), size=size)], kind="form")
    return Chunk([position], [raw], [values], headers=keys, kind="form")


def _pairs(line: bytes) -> list[tuple[str, str | None]]:
    found = (each.partition(b"=") for each in line.split(b"&") if each)
    return [
        (_text(unquote_to_bytes(name.replace(b"+", b" "))) or "", _text(unquote_to_bytes(value.replace(b"+", b" "))))
        for name, _, value in found
    ]


def _text(data: bytes, charset: str | None = None) -> str | None:
    """The text of a value; None if its encoding is neither given nor clear."""
    for encoding in (charset, "utf-8", None if data.isascii() else guess(data)):
        try:
            if encoding:
                return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return None

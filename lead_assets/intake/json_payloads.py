"""Turns JSON bytes into payloads: one object, an array, or one object per line. A bad payload never affects its neighbours.

The fast path (orjson) reads valid payloads; whatever it refuses or cannot read without loss (a repeated key, an integer above 64 bits) goes to
`diagnose`, which is slow but exact. Does not belong here: the meaning of a payload's fields (see `rows`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from itertools import compress
from typing import Any

import orjson
import polars as pl

from lead_assets.intake.alike import alike
from lead_assets.intake.payloads import MAX_DEPTH, MAX_RAW_TEXT, Chunk, Fault, Reject, campaign_of, too_large
from lead_assets.intake.text import WHITE, Text

_CHUNK_BYTES = 4 << 20
_CHUNK_PAYLOADS = 1 << 15
_QUOTE = ord('"')

# One step over JSON text: everything except brackets, commas and open strings, then what stopped it. Possessive, so that a hostile text cannot cause
# backtracking: https://docs.python.org/3/library/re.html (possessive quantifiers, 3.11).
_STEP = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+([\[\]{}])', re.DOTALL)
_SCALAR = re.compile(rb'(?:[^",\[\]{}]++|"(?:[^"\\]++|\\.)*+")++', re.DOTALL)
_TAIL = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+\Z', re.DOTALL)
_NEXT = re.compile(rb"[,\]]")
_BLANK = re.compile(rb"[ \t\r\n]*+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
C0 = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
# Escaped control characters (or an escaped backslash before such letters), and runs of digits that may be an integer above 64 bits.
_LOSSY = r"\\u00[01]|\\[bf]|[0-9]{19}"
_LOSSY_BYTES = re.compile(_LOSSY.encode())
_FEW = 50
_WORTH_A_LOOK = 64 << 10
_OPEN, _OPEN_LIST, _ZERO, _COLON, _SPACE = ord("{"), ord("["), ord("0"), ord(":"), ord(" ")
_DIGITS = 19
"""An integer of so many digits may be beyond 64 bits."""
_KEY_ENDS = (b'":', b'" ', b'"\t', b'"\n', b'"\r')
_UNSURE_MARKS = ("[", '" ', '"\t', '"\n', '"\r')


def lines(text: Text, max_payload_bytes: int, *, as_columns: bool = False) -> Iterator[Chunk]:
    """The payloads of NDJSON; position is the line, from 1. Blank lines are skipped. `as_columns`: blocks of lines that seem to be written alike are left
    as they are (see `Chunk.alike`)."""
    line_number = text.lines_gone + 1
    for block, long in text.lines(max_payload_bytes):
        if long:
            if block:
                yield Chunk(rejects=[Reject(line_number, block, too_large(long, max_payload_bytes), size=long)])
            continue
        count = block.count(b"\n") + (not block.endswith(b"\n"))
        if as_columns and count <= _CHUNK_PAYLOADS and (columns := alike(block)):
            yield Chunk(positions=list(range(line_number, line_number + count)), alike=columns)
            line_number += count
            continue
        raws = block.split(b"\n")
        if block.endswith(b"\n"):
            raws.pop()
        if len(raws) <= _CHUNK_PAYLOADS:
            yield read(range(line_number, line_number + len(raws)), raws, max_payload_bytes, block)
        else:
            for start in range(0, len(raws), _CHUNK_PAYLOADS):
                some = raws[start : start + _CHUNK_PAYLOADS]
                yield read(range(line_number + start, line_number + start + len(some)), some, max_payload_bytes)
        line_number += len(raws)


def plain(chunk: Chunk, max_payload_bytes: int, left: Sequence[int] | None = None) -> Chunk:
    """A chunk of lines that seemed to be written alike as one of payloads; of some of its lines only, if `left` says of which."""
    assert chunk.alike is not None
    block, texts = chunk.alike.block, chunk.alike.block.split(b"\n")[: len(chunk.positions)]
    if left is None:
        return read(chunk.positions, texts, max_payload_bytes, block)
    return read([chunk.positions[index] for index in left], [texts[index] for index in left], max_payload_bytes)


def sequence(text: Text, max_payload_bytes: int) -> Iterator[Chunk]:
    """The payloads of a file with one or more objects, each over many lines; position is the object, from 1."""
    yield from _elements(text, 0, None, max_payload_bytes)


def array(text: Text, max_payload_bytes: int) -> Iterator[Chunk]:
    """The payloads of a JSON array; position is the element, from 1. If the file was cut off, everything before the cut is read."""
    yield from _elements(text, text.data.index(b"[") + 1, b"]", max_payload_bytes)


def _elements(text: Text, at: int, closing: bytes | None, max_payload_bytes: int) -> Iterator[Chunk]:
    positions: list[int] = []
    raws: list[bytes] = []
    too_long: list[Reject] = []
    size = position = 0
    problem: Fault | None = None
    if closing:
        problem = Fault("truncated_json", "the array is not closed: the file was cut off; send it again whole")
    while (at := _skip_white(text, at)) < len(text.data):
        if text.data[at : at + 1] == closing:
            text.more(at + 1)
            text.skip_white()
            rest = text.data.strip(WHITE)
            problem = Fault("not_json", "there is text after the end of the array: send one array per file") if rest else None
            break
        stop, whole = _element_end(text.data, at, text.ended)
        if not whole and not text.ended:
            if len(text.data) - at <= max_payload_bytes:
                text.more(at)
                at = 0
                continue
            head, long, at = _skip_element(text, at)
            position += 1
            too_long.append(Reject(position, head, too_large(long, max_payload_bytes), size=long))
        else:
            position += 1
            positions.append(position)
            raws.append(text.data[at:stop].strip(WHITE))
            size += stop - at
            at = stop
        if size > _CHUNK_BYTES or len(positions) + len(too_long) >= _CHUNK_PAYLOADS:
            yield _with(read(positions, raws, max_payload_bytes), too_long)
            positions, raws, too_long, size = [], [], [], 0
        at = _skip_white(text, at)
        if not whole and text.ended and at >= len(text.data):
            problem = None  # the last element is itself rejected as cut off
            break
        if closing and text.data[at : at + 1] == b",":
            at += 1
    if problem:
        too_long.append(Reject(0, b"", problem, size=text.bytes_gone + len(text.data)))
    yield _with(read(positions, raws, max_payload_bytes), too_long)


def _with(chunk: Chunk, rejects: list[Reject]) -> Chunk:
    chunk.rejects += rejects
    return chunk


def _skip_element(text: Text, at: int) -> tuple[bytes, int, int]:
    """Skip an element that is too long to hold: returns its head, its size, and where the next text starts. At C speed, because it may be gigabytes."""
    import numpy as np  # only needed for hostile files

    nesting, stops = np.zeros(256, dtype=np.int8), np.zeros(256, dtype=bool)
    nesting[[*b"{["]], nesting[[*b"}]"]], stops[[*b",]"]] = 1, -1, True
    head, size = text.data[at : at + MAX_RAW_TEXT + 1], 0
    nested = text.data[at : at + 1] in (b"{", b"[")
    depth, inside, escaped = 0, False, False
    while True:
        data = text.data[at:]
        if escaped and data:
            data = b" " + data[1:]
        # A backslash and the character it escapes do not affect nesting, and have no other meaning outside strings.
        plain = data.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
        escaped = plain.endswith(b"\\")
        codes = np.frombuffer(plain, dtype=np.uint8)
        within = (np.cumsum(codes == _QUOTE, dtype=np.int32) + inside) & 1
        levels = depth + np.cumsum(np.where(within == 1, 0, nesting[codes]), dtype=np.int32)
        ends = (within == 0) & (((levels == 0) & (nesting[codes] == -1)) if nested else stops[codes])
        if ends.any():
            stop = int(ends.argmax()) + (1 if nested else 0)
            return head, size + stop, at + stop
        if len(codes):
            inside, depth = bool(within[-1]), int(levels[-1])
        size += len(data)
        if not text.more(len(text.data)):
            return head, size, 0
        at = 0


def read(places: Sequence[int], texts: list[bytes], max_payload_bytes: int, block: bytes = b"") -> Chunk:
    """The texts at these positions as a chunk, without blank ones. `block`: all of them with what stands between, where that is at hand."""
    chunk = Chunk()
    positions, raws = list(places), texts
    try:
        # Most drops are valid, and every extra step per payload costs as much as reading it.
        values: list[Any] = list(map(orjson.loads, texts))
        if values and max(map(len, texts)) > max_payload_bytes:
            raise ValueError
    except ValueError:
        positions, raws, values = _read_one_by_one(places, texts, max_payload_bytes, chunk)
    refused: set[int] = set()
    for index in _suspects_of(block if raws is texts else b"", raws, values):
        fault, values[index] = diagnose(raws[index])
        if fault:
            refused.add(index)
            chunk.rejects.append(Reject(positions[index], raws[index], fault, campaign_of(values[index])))
    if refused:
        keep = [index not in refused for index in range(len(values))]
        positions, raws, values = list(compress(positions, keep)), list(compress(raws, keep)), list(compress(values, keep))
    chunk.positions, chunk.raws, chunk.values = positions, raws, values
    return chunk


def _read_one_by_one(
    places: Sequence[int], texts: list[bytes], max_payload_bytes: int, chunk: Chunk
) -> tuple[list[int], list[bytes], list[Any]]:
    """Positions, texts and values of readable payloads; the others become rejects of the chunk."""
    positions: list[int] = []
    raws: list[bytes] = []
    values: list[Any] = []
    loads = orjson.loads
    for position, raw in zip(places, texts, strict=True):
        if len(raw) > max_payload_bytes:
            if raw.strip(WHITE):
                chunk.rejects.append(Reject(position, raw[: MAX_RAW_TEXT + 1], too_large(len(raw), max_payload_bytes), size=len(raw)))
            continue
        try:
            value = loads(raw)
        except orjson.JSONDecodeError:
            if not raw.strip(WHITE):
                continue
            fault, value = diagnose(raw)
            if fault:
                chunk.rejects.append(Reject(position, raw, fault, campaign_of(value)))
                continue
        positions.append(position)
        raws.append(raw)
        values.append(value)
    return positions, raws, values


def _suspects_of(block: bytes, raws: list[bytes], values: list[Any]) -> list[int]:
    """`_suspects`, in a fraction of the time where one look at the whole block shows that nothing is lost."""
    if len(block) < _WORTH_A_LOOK:
        return _suspects(raws, values)
    escaped = [index for index, raw in enumerate(raws) if b"\\" in raw] if b"\\" in block else []
    if not escaped:
        return _deep(block, raws, values) if _are_plain(block, values) else _suspects(raws, values)
    of_escaped = set(escaped)
    others = [index for index in range(len(raws)) if index not in of_escaped]
    if not _are_plain(b"\n".join([raws[index] for index in others]), [values[index] for index in others]):
        return _suspects(raws, values)
    found = _suspects([raws[index] for index in escaped], [values[index] for index in escaped])
    return [*(escaped[at] for at in found), *(index for index in _deep(block, raws, values) if index not in of_escaped)]


def _deep(block: bytes, raws: list[bytes], values: list[Any]) -> list[int]:
    """The payloads nested too deep, most of which are found by having so many brackets. A block with hardly more brackets than payloads has none of them."""
    import numpy as np

    codes = np.frombuffer(block, dtype=np.uint8)
    opened = (codes == _OPEN) | (codes == _OPEN_LIST)
    if np.count_nonzero(opened) - len(raws) < MAX_DEPTH:
        return []
    starts = np.cumsum([0, *(len(raw) + 1 for raw in raws[:-1])])
    many = np.flatnonzero(np.add.reduceat(opened, starts, dtype=np.int32) > MAX_DEPTH).tolist()
    return [index for index in many if _size(values[index], 1)[1] > MAX_DEPTH]


def _are_plain(block: bytes, values: list[Any]) -> bool:
    """Whether a block's payloads are objects without anything that `_suspects` looks for except depth; the block has no backslash."""
    if {*map(type, values)} != {dict}:
        return False
    import numpy as np

    codes = np.frombuffer(block, dtype=np.uint8)
    # Whole columns of truth values: picking out what stands behind the quotes takes several times as long.
    quotes, behind = codes[:-1] == _QUOTE, codes[1:]
    if (quotes & (behind <= _SPACE)).any():
        return False
    is_flat = b"[" not in block and np.count_nonzero(codes == _OPEN) == len(values)
    # A key that occurs twice stands in the text twice and in the object once.
    keys = sum(map(len, values)) if is_flat else orjson.dumps(values).count(b'":')
    if np.count_nonzero(quotes & (behind == _COLON)) != keys:
        return False
    # Of nineteen digits in a row, two stand at places that eight divides, one after the other; looked at closely are those few.
    eighths = (codes[::8] - _ZERO) < 10
    at = np.flatnonzero(eighths[:-1] & eighths[1:]) * 8
    around = (np.take(codes, at[:, None] + np.arange(-10, 19), mode="clip") - _ZERO) < 10
    before = np.cumprod(around[:, 9::-1], axis=1, dtype=np.uint8).sum(axis=1)
    behind = np.cumprod(around[:, 10:], axis=1, dtype=np.uint8).sum(axis=1)
    return not bool((before + behind >= _DIGITS).any())


def _suspects(raws: list[bytes], values: list[Any]) -> list[int]:
    """Payloads that the fast reader accepted, perhaps with a loss: repeated keys, control characters, integers above 64 bits, deep nesting, no object.

    Each key ends with a quote followed by a colon or white space. So there are at most as many keys as such places; if the parsed object
    has as many, no key is repeated.
    """
    if len(raws) < _FEW:
        # A query would take longer, and receivers read many bodies of one payload each.
        lossy = {index for index, raw in enumerate(raws) if _LOSSY_BYTES.search(raw)}
        return [*lossy, *(index for index, raw in enumerate(raws) if index not in lossy and not _is_sure(raw, values[index]))]
    text = pl.Series("text", raws, dtype=pl.Binary).cast(pl.String)
    frame = pl.DataFrame({"text": text, "keys": [len(value) if type(value) is dict else -1 for value in values]}).select(
        plain=(pl.col("text").str.count_matches('":', literal=True) == pl.col("keys"))
        & (pl.col("text").str.count_matches("{", literal=True) == 1)
        & ~pl.any_horizontal(pl.col("text").str.contains(mark, literal=True) for mark in _UNSURE_MARKS),
        lossy=pl.col("text").str.contains(_LOSSY),
    )
    suspects = frame["lossy"].arg_true().to_list()
    lossy = set(suspects)
    for index in (~frame["plain"]).arg_true().to_list():
        if index not in lossy and not _is_sure(raws[index], values[index]):
            suspects.append(index)
    return suspects


def _is_sure(raw: bytes, value: Any) -> bool:
    """The same test for a payload that is nested or has white space after a quote."""
    if type(value) is not dict:
        return False
    keys, depth = _size(value, 1)
    return depth <= MAX_DEPTH and keys == sum(raw.count(mark) for mark in _KEY_ENDS)


def _size(value: Any, depth: int) -> tuple[int, int]:
    """The number of keys of all objects in a value, and its depth; stops at the maximum depth."""
    if depth > MAX_DEPTH or not isinstance(value, dict | list):
        return 0, depth if isinstance(value, dict | list) else depth - 1
    keys, deepest = (len(value) if isinstance(value, dict) else 0), depth
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            inner, below = _size(item, depth + 1)
            keys += inner
            deepest = max(deepest, below)
    return keys, deepest


def diagnose(raw: bytes) -> tuple[Fault | None, Any]:
    """What is wrong with one JSON text, and its value as far as it can be read. Without a fault: the exact value, with integers of any size."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        return Fault("wrong_encoding", f"byte {error.start + 1} of the payload is not UTF-8: save the file as UTF-8"), None
    if found := C0.search(raw):
        return Fault("control_characters", f"control character at byte {found.start() + 1}: remove it"), None
    depth, closed = _depth(raw)
    if depth > MAX_DEPTH:
        return Fault("too_deep", f"nested {depth} levels deep, more than the {MAX_DEPTH} allowed: flatten it"), None
    repeated: list[str] = []
    constants: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, item in items:
            if key in result:
                repeated.append(key)
            result[key] = item
        return result

    def real(literal: str) -> float:
        value = float(literal)
        if not math.isfinite(value):
            constants.append(literal)
        return value

    def whole(literal: str) -> int:
        if not math.isfinite(float(literal)):
            constants.append(literal)
            return 0
        return int(literal)

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=constants.append, parse_float=real, parse_int=whole)
    except json.JSONDecodeError as error:
        return _syntax_fault(error, text, closed), None
    if constants:
        return _not_finite(), value
    if repeated:
        name = repeated[0][:100]
        return Fault("duplicate_key", "a key occurs twice in one object: send each field once", _escaped(name)), value
    if type(value) is not dict:
        return Fault("not_an_object", "the payload is JSON but not an object: send one object per lead"), None
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return Fault(
            "lone_surrogate", "half of a character escape (\\ud800-\\udfff) without its other half: escape the whole character"
        ), None
    if (hidden := _hidden(value)) is not None:
        return Fault("control_characters", "the text contains a control character or NUL: remove it", hidden), value
    return None, value


def _hidden(value: dict[str, Any]) -> str | None:
    """The first field with a control character in its value or name."""
    for key, item in value.items():
        if any(_CONTROL.search(text) for text in _strings_of([key, item])):
            return _CONTROL.sub("?", key)[:100]
    return None


def _strings_of(item: Any) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    elif isinstance(item, list):
        for member in item:
            yield from _strings_of(member)
    elif isinstance(item, dict):
        for key, member in item.items():
            yield key
            yield from _strings_of(member)


def _syntax_fault(error: json.JSONDecodeError, text: str, closed: bool) -> Fault:
    length = len(text.rstrip())
    if error.msg.startswith("Invalid control character"):
        return Fault("control_characters", f"raw control character in a string at character {error.pos + 1}: escape it (\\t, \\n)")
    rest = text[error.pos :].strip()
    cut_word = bool(rest) and any(word.startswith(rest) for word in ("true", "false", "null", "NaN", "Infinity", "-Infinity"))
    cut_escape = "escape" in error.msg and length - error.pos <= 6
    if not closed and (error.pos >= length or error.msg.startswith("Unterminated string") or cut_word or cut_escape):
        return Fault("truncated_json", f"the payload ends in the middle, after {length} characters: send it again whole")
    return Fault("not_json", f"not JSON at character {error.pos + 1} ({error.msg}): send one JSON object per lead")


def _not_finite() -> Fault:
    return Fault("not_a_finite_number", "NaN, Infinity or a number beyond a double's range: send a finite number or null")


def _escaped(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8", "backslashreplace")


def _depth(raw: bytes) -> tuple[int, bool]:
    """The deepest nesting, and whether everything opened is closed. Iterative, because the text may be hostile."""
    depth = deepest = at = 0
    while step := _STEP.match(raw, at):
        depth += 1 if step[1] in b"[{" else -1
        deepest = max(deepest, depth)
        at = step.end()
    return deepest, depth <= 0 and _TAIL.match(raw, at) is not None


def _element_end(data: bytes, at: int, ended: bool) -> tuple[int, bool]:
    """Where the array element that starts at `at` ends, and whether it ends at all."""
    if data[at : at + 1] not in (b"{", b"["):
        scalar = _SCALAR.match(data, at)
        stop = scalar.end() if scalar else at
        if stop < len(data) and data[stop : stop + 1] in (b",", b"]") and stop > at:
            return stop, True
        if data[at : at + 1] == b",":
            return at + 1, True
        if scalar is None and data[at : at + 1] == b'"' and not ended:
            return len(data), False  # a string that may be closed later
        following = _NEXT.search(data, max(stop, at + 1))
        return (following.start(), True) if following else (len(data), False)
    depth = 0
    while step := _STEP.match(data, at):
        depth += 1 if step[1] in b"[{" else -1
        at = step.end()
        if depth == 0:
            return at, True
    return len(data), False


def _skip_white(text: Text, at: int) -> int:
    """Where the next text starts, from `at` on; reads more if the window has none."""
    while True:
        found = _BLANK.match(text.data, at)
        at = found.end() if found else at
        if at < len(text.data) or text.ended:
            return at
        text.more(at)
        at = 0

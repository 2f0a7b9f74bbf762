"""Packed files as streams of bytes: gzip and zip, detected by content. The unpacked size is checked before reading, and the content is never held whole.

Does not belong here: encodings (see `encodings`), or spreadsheets, which are zip files too (see `sheet_payloads`).
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from lead_assets.core.limits import DropLimits
from lead_assets.intake.payloads import Fault

BLOCK = 2 << 20
_FIRST = 64 << 10
"""Size of a file's first block: most drops are no larger, so their text is one object."""
_NO_BOMB = 64 << 20
"""Up to this unpacked size, any compression ratio is allowed."""
_GZIP_MOST = 1032
"""Deflate's best: https://zlib.net/zlib_tech.html."""
_DIRECTORY_BYTES = 16 << 20
_LOOKED_FOR = b"PK\x05\x06"
_CANNOT: tuple[tuple[bytes, str], ...] = (
    (b"BZh", "a bzip2 file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF"),
    (b"PAR1", "a Parquet file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"{\\rtf", "a text document"),
)
_CANNOT_TEXT = (b"<!doctype html", b"<html", b"<table", b"<?xml")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The stream from the start."""
    stream.seek(0)
    if first := stream.read(_FIRST):
        yield first
    while block := stream.read(BLOCK):
        yield block


def unreadable(head: bytes) -> Fault | None:
    """The kind of a file that is not text and cannot be unpacked here."""
    kind = next((kind for mark, kind in _CANNOT if head.startswith(mark)), None)
    if kind is None and head[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_CANNOT_TEXT):
        kind = "HTML or XML, whatever its name"
    return unsupported(kind) if kind else None


def unsupported(kind: str) -> Fault:
    return Fault("unsupported_format", f"the file is {kind}: send CSV, XLSX, JSON or NDJSON, packed with gzip or zip if you like")


def too_big(limit: int) -> Fault:
    return Fault("file_too_large", f"the file has more than {limit} bytes: send it in parts, or raise LEAD_ASSETS_MAX_DROP_BYTES")


def too_far(limits: DropLimits) -> Fault:
    return Fault(
        "unpacks_too_far",
        f"the file unpacks to more than {limits.unpack_ratio} times its size, unlike any list of leads: send it unpacked, "
        "or raise LEAD_ASSETS_MAX_UNPACK_RATIO",
    )


def over_limit(unpacked: int, packed: int, limits: DropLimits) -> Fault | None:
    if unpacked > limits.drop_bytes:
        return too_big(limits.drop_bytes)
    return too_far(limits) if unpacked > max(limits.unpack_ratio * packed, _NO_BOMB) else None


class Gunzipped:
    """The content of a gzip stream, as far as it can be read. `fault`: why it ended early; known at the end."""

    def __init__(self, stream: BinaryIO) -> None:
        self.fault: Fault | None = None
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        source = blocks(self._stream)
        rest = next(source, b"")
        while rest:
            member = zlib.decompressobj(wbits=31)
            try:
                while not member.eof:
                    if part := member.decompress(rest, BLOCK):
                        yield part
                    rest = member.unconsumed_tail
                    if not rest and not member.eof and not (rest := next(source, b"")):
                        break
            except zlib.error:
                self.fault = Fault("corrupt_gzip", "the gzip data is damaged; everything before the damage was read: send it again")
                return
            if not member.eof:
                self.fault = Fault(
                    "truncated_gzip", "the gzip data ends early; everything before the cut was read: send the whole file again"
                )
                return
            rest = member.unused_data
            while not (rest := rest.lstrip(b"\0")):  # padding that tape and block devices leave
                if not (rest := next(source, b"")):
                    return


def gzip_fault(stream: BinaryIO, size: int, limits: DropLimits) -> Fault | None:
    """Whether a gzip file unpacks to more than is allowed. Unpacks it once if its size does not decide that."""
    if size * _GZIP_MOST <= min(_NO_BOMB, limits.drop_bytes):
        return None
    unpacked = 0
    for part in Gunzipped(stream):
        unpacked += len(part)
        if fault := over_limit(unpacked, size, limits):
            return fault
    return None


def zip_of(stream: BinaryIO, size: int, limits: DropLimits) -> zipfile.ZipFile | Fault:
    """The zip file, if its directory stays within the limits; reading a member never gives more than the directory says."""
    damaged = Fault("corrupt_zip", "the zip file is damaged or cut off: send it again")
    if _directory_bytes(stream, size) > _DIRECTORY_BYTES:
        return Fault("file_too_large", "the zip file lists hundreds of thousands of files: send one file of leads")
    try:
        opened = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, struct.error):
        return damaged
    members = opened.infolist()
    if any(member.flag_bits & 1 for member in members):
        return Fault("password_protected", "the zip file has a password: send it without one")
    return over_limit(sum(member.file_size for member in members), size, limits) or opened


def member_blocks(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """A member's content. Raises what `DAMAGE` names."""
    with archive.open(member) as content:
        while block := content.read(BLOCK):
            yield block


DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError, struct.error)
"""What reading a damaged member raises."""


def _directory_bytes(stream: BinaryIO, size: int) -> int:
    """Size of the zip's directory according to its end record (APPNOTE.TXT 4.3.16, 4.3.14): it would be held in memory."""
    start = max(0, size - (1 << 16) - 98)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(_LOOKED_FOR)
    if at < 0 or len(tail) < at + 22:
        return 0
    found: int = struct.unpack_from("<I", tail, at + 12)[0]
    if (wide := tail.rfind(b"PK\x06\x06", 0, at)) >= 0 and len(tail) >= wide + 48:
        found = max(found if found != 0xFFFFFFFF else 0, struct.unpack_from("<Q", tail, wide + 40)[0])
    return found

"""Memory of drops of any size: honest NDJSON and CSV of gigabytes, a gzip that unpacks to gigabytes, a workbook that asks for them.

    python -m benchmarks.big_drop [--gigabytes 1] [--json]

Each drop is made on the fly, and taken by `ingest` in a process of its own, as `lead-assets ingest` does it: into the archive, counted, receipts
written. Its peak memory is the largest that the process ever had, its libraries included.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.intake_to_leads import RECEIVED_AT, payloads

GIGABYTE = 1_000_000_000
_GOAL_MB = 500


def ndjson(file: Path, size: int) -> None:
    block = payloads(20_000)
    with file.open("wb") as out:
        for number in range(size // len(block) + 1):
            out.write(block.replace(b"lf_7_", b"lf_%d_" % number))


def csv(file: Path, size: int) -> None:
    people = [json.loads(line) for line in payloads(5_000).splitlines()]
    rows = "".join(",".join('"' + str(value).replace('"', '""') + '"' for value in person.values()) + "\r\n" for person in people).encode(
        "cp1252"
    )
    with file.open("wb") as out:
        out.write((",".join(people[0]) + "\r\n").encode())
        for number in range(size // len(rows) + 1):
            out.write(rows.replace(b"lf_7_", b"lf_%d_" % number))


def array(file: Path, size: int) -> None:
    block = payloads(20_000).rstrip(b"\n").replace(b"\n", b",\n")
    with file.open("wb") as out:
        out.write(b"[" + block)
        for number in range(size // len(block)):
            out.write(b"," + block.replace(b"lf_7_", b"lf_%d_" % number))
        out.write(b"]")


def bomb(file: Path, size: int) -> None:
    zeros, packer = bytes(16 << 20), zlib.compressobj(9, wbits=31)
    with file.open("wb") as out:
        for _ in range(size // len(zeros)):
            out.write(packer.compress(zeros))
        out.write(packer.flush())


def packed(file: Path, size: int) -> None:
    plain = file.with_suffix(".plain")
    ndjson(plain, size)
    with plain.open("rb") as source, gzip.open(file, "wb", compresslevel=1) as out:
        while block := source.read(16 << 20):
            out.write(block)
    plain.unlink()


def one_line(file: Path, size: int) -> None:
    with file.open("wb") as out:
        out.write(b'{"email": "a@b.example", "notes": "')
        for _ in range(size // (16 << 20)):
            out.write(b"x" * (16 << 20))


def brackets(file: Path, size: int) -> None:
    with file.open("wb") as out:
        for _ in range(size // (16 << 20)):
            out.write(b"[" * (16 << 20))


def scalars(file: Path, size: int) -> None:
    with file.open("wb") as out:
        out.write(b"{}\n")
        for _ in range(size // (16 << 20)):
            out.write(b"42\n" * ((16 << 20) // 3))


def workbook(file: Path, size: int) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(str(file)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Email"])
        sheet.write(1_000_000, 1_000, "x")


def large_workbook(file: Path, size: int) -> None:
    """As many cells as a sheet may have."""
    import xlsxwriter

    with xlsxwriter.Workbook(str(file), {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for number, line in enumerate(payloads(240_000).splitlines(), start=1):
            person = json.loads(line)
            if number == 1:
                sheet.write_row(0, 0, list(person))
            sheet.write_row(number, 0, list(person.values()))


DROPS: dict[str, tuple[Callable[[Path, int], None], float]] = {
    "NDJSON": (ndjson, 1),
    "NDJSON in gzip": (packed, 1),
    "a JSON array": (array, 0.5),
    "CSV, quoted, Windows-1252": (csv, 0.5),
    "gzip of 2.9 MB that unpacks to 3 GB": (bomb, 3),
    "gzip of 29 MB that unpacks to 30 GB": (bomb, 30),
    "one line without end": (one_line, 1),
    "opening brackets": (brackets, 0.5),
    "lines that are numbers": (scalars, 0.02),
    "a workbook of one cell far away": (workbook, 0),
    "a workbook of 3,840,000 cells": (large_workbook, 0),
}
"""Each with its size for a gigabyte; that of the bombs is fixed."""


def measure(file: Path) -> dict[str, Any]:
    from lead_assets.intake.ingest import ingest
    from lead_assets.intake.parsed import ParsedDrops
    from lead_assets.stores.archive import Archive
    from lead_assets.stores.objects import open_objects

    with tempfile.TemporaryDirectory(dir=file.parent) as folder, file.open("rb") as stream:
        small = file.stat().st_size <= 16 << 20
        before = _peak()
        began = time.perf_counter()
        archive, parsed = Archive(f"{folder}/archive"), ParsedDrops(open_objects(f"{folder}/derived"))
        drop = ingest(archive, stream.read() if small else stream, name=file.name, received_at=RECEIVED_AT, parsed=parsed)
        seconds = time.perf_counter() - began
    return {
        "file_mb": file.stat().st_size // 10**6,
        "leads": drop.rows,
        "rejects": drop.rejected,
        "seconds": round(seconds, 1),
        "start_mb": before,
        "peak_mb": _peak(),
    }


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # the other figure begins with that of the process that started this one
        return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--gigabytes", type=float, default=1.0)
    options.add_argument("--only", help="a part of the name of the drops to measure")
    options.add_argument("--json", action="store_true")
    options.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    wanted = options.parse_args()
    if wanted.child:
        print(json.dumps(measure(wanted.child)))
        return 0
    measured: dict[str, Any] = {}
    for name, (make, share) in DROPS.items():
        if wanted.only and wanted.only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "drop"
            make(file, int(share * GIGABYTE * (1 if make is bomb else wanted.gigabytes)))
            ran = subprocess.run(
                [sys.executable, "-m", "benchmarks.big_drop", "--child", str(file)], check=True, capture_output=True, text=True
            )
        measured[name] = json.loads(ran.stdout)
        if not wanted.json:
            print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in measured[name].items()), flush=True)
    if wanted.json:
        print(json.dumps(measured))
    return 0 if all(each["peak_mb"] <= _GOAL_MB for each in measured.values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())

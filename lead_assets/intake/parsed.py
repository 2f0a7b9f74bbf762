"""The rows parsed so far: each campaign's receipts and their rows, so that one more drop costs the reading of one drop.

Derived, like a table: if it is deleted or damaged, everything is read once more, to the same rows. One object per campaign, replaced as a whole and
never locked: if two processes replace it at once, one wins, and what the other had read is read again.

Rows made by a different parser are not used. A parser is identified by the text of its modules (`MODULES`), the versions of their libraries, and the
largest payload that is taken.

Does not belong here: choosing the receipt to read a drop by (see `read`), or parsing (see `drops`).
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.metadata
import io
import json
import logging
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import polars as pl

from lead_assets.contracts import RawLead, RejectedPayload, Table
from lead_assets.core.limits import DEFAULT_LIMITS, DropLimits
from lead_assets.core.settings import Settings
from lead_assets.intake.adapters import Adapters, adapters_of, shipped_adapters
from lead_assets.intake.drops import Drops
from lead_assets.stores.archive import Receipt
from lead_assets.stores.objects import open_objects
from lead_assets.stores.objects.base import Objects, StoreError

MODULES = (
    "lead_assets.contracts.base",
    "lead_assets.contracts.intake",
    "lead_assets.core.campaign_keys",
    "lead_assets.core.columns",
    "lead_assets.core.emails",
    "lead_assets.core.garbage",
    "lead_assets.core.limits",
    "lead_assets.core.number_words",
    "lead_assets.core.shipped",
    "lead_assets.core.values",
    "lead_assets.intake.adapters",
    "lead_assets.intake.alike",
    "lead_assets.intake.alike_rows",
    "lead_assets.intake.amounts",
    "lead_assets.intake.bags",
    "lead_assets.intake.csv_payloads",
    "lead_assets.intake.drops",
    "lead_assets.intake.encodings",
    "lead_assets.intake.form_payloads",
    "lead_assets.intake.framed",
    "lead_assets.intake.groups",
    "lead_assets.intake.headers",
    "lead_assets.intake.identified",
    "lead_assets.intake.json_payloads",
    "lead_assets.intake.moments",
    "lead_assets.intake.nested",
    "lead_assets.intake.parse",
    "lead_assets.intake.paths",
    "lead_assets.intake.payloads",
    "lead_assets.intake.plans",
    "lead_assets.intake.rows",
    "lead_assets.intake.shapes",
    "lead_assets.intake.sheet_payloads",
    "lead_assets.intake.tables",
    "lead_assets.intake.text",
    "lead_assets.intake.typed",
    "lead_assets.intake.unpacking",
)
"""The modules that decide what a drop's bytes become. Changing a comment in one costs one reading, which is free; a module missing here would cost rows."""
_LIBRARIES = (
    "charset-normalizer",
    "dateparser",
    "email-validator",
    "multipart",
    "orjson",
    "polars",
    "python-calamine",
    "python-dateutil",
)

_MOST_CAMPAIGNS = 20
"""Campaigns of one drop."""
_ROWS_OF_A_SLICE = 16_384
_WRITERS = 2

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parsed:
    """What is known about a campaign: its receipts by file name, and the rows of some of them.

    `held`: file names of the receipts whose rows are in the frames.
    """

    receipts: dict[str, Receipt] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    raw_leads: pl.DataFrame = field(default_factory=RawLead.empty)
    rejected: pl.DataFrame = field(default_factory=RejectedPayload.empty)


class ParsedDrops:
    """The parsed rows of campaigns, in a store of derived objects."""

    def __init__(self, objects: Objects, *, limits: DropLimits = DEFAULT_LIMITS, adapters: Adapters | None = None) -> None:
        self.objects = objects
        self._parser = f"{parser_version()}-{'-'.join(map(str, limits))}-{(adapters or shipped_adapters()).digest}"

    def get(self, campaign_id: str) -> Parsed:
        """What is known about the campaign; nothing, if there is nothing made by this parser."""
        try:
            return self._unpacked(self.objects.get(_name(campaign_id)))
        except FileNotFoundError:
            return Parsed()
        except (zipfile.BadZipFile, KeyError, ValueError, pl.exceptions.PolarsError, OSError) as error:
            if isinstance(error, StoreError):
                raise
            _log.warning("the parsed rows of campaign %s cannot be read (%s): reading its drops again", campaign_id, type(error).__name__)
            return Parsed()

    def put(self, campaign_id: str, parsed: Parsed) -> None:
        """Store it for the next reading. If the store refuses it, that costs time but no rows."""
        try:
            self.objects.replace(_name(campaign_id), self._packed(parsed))
        except OSError as error:
            _log.warning("the parsed rows of campaign %s cannot be stored below %s: %s", campaign_id, self.objects.location, error)

    def add(self, receipts: Sequence[Receipt], drops: Drops) -> None:
        """The rows of one drop, which was read as it arrived, so that it need not be read again. Nothing is kept where putting them beside a campaign's many
        rows would cost more than reading the drop: every drop of a campaign would then write all that came before it."""
        if len(receipts) > _MOST_CAMPAIGNS:
            return
        for receipt in receipts:
            try:
                kept = next(iter(self.objects.entries(_name(receipt.campaign_id))), None)
                known = self.get(receipt.campaign_id) if kept is None or kept.size <= receipt.size else None
            except OSError as error:
                _log.warning("the parsed rows of campaign %s cannot be read (%s)", receipt.campaign_id, type(error).__name__)
                continue
            if known is None:
                continue
            good, bad = drops.place([(0, receipt)])
            whole = Parsed(
                {**known.receipts, receipt.file_name: receipt},
                known.held | {receipt.file_name},
                pl.concat([known.raw_leads, good]),
                pl.concat([known.rejected, bad]),
            )
            self.put(receipt.campaign_id, whole)

    def _packed(self, parsed: Parsed) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("parser", self._parser)
            archive.writestr(
                "receipts.json",
                json.dumps(
                    {
                        "receipts": {name: receipt.model_dump(mode="json") for name, receipt in parsed.receipts.items()},
                        "held": sorted(parsed.held),
                    }
                ),
            )
            for name, frame in (("raw_leads", parsed.raw_leads), ("rejected", parsed.rejected)):
                # In slices, each of which is copied as it is written.
                with ThreadPoolExecutor(_WRITERS) as pool:
                    for number, body in enumerate(pool.map(_written, frame.iter_slices(_ROWS_OF_A_SLICE))):
                        archive.writestr(f"{name}/{number:06}.arrow", body.getbuffer())
        return packed.getvalue()

    def _unpacked(self, data: bytes) -> Parsed:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.read("parser").decode() != self._parser:
                return Parsed()
            known = orjson.loads(archive.read("receipts.json"))
            return Parsed(
                {name: Receipt.model_validate(receipt) for name, receipt in known["receipts"].items()},
                frozenset(known["held"]),
                _frame_of(archive, "raw_leads", RawLead),
                _frame_of(archive, "rejected", RejectedPayload),
            )


def _written(frame: pl.DataFrame) -> io.BytesIO:
    body = io.BytesIO()
    frame.write_ipc(body, compression="lz4")
    return body


def _frame_of(archive: zipfile.ZipFile, name: str, contract: type[Table]) -> pl.DataFrame:
    slices = [pl.read_ipc(archive.read(each)) for each in sorted(archive.namelist()) if each.startswith(f"{name}/")]
    schema = contract.polars_schema()
    return pl.concat([contract.empty(), *(each.match_to_schema(schema) for each in slices)])


def parsed_of(settings: Settings) -> ParsedDrops:
    return ParsedDrops(open_objects(settings.derived_location), limits=settings.limits, adapters=adapters_of(settings))


@functools.cache
def parser_version() -> str:
    """A different text for every parser that may give different rows."""
    digest = hashlib.sha256()
    for module in MODULES:
        file = importlib.import_module(module).__file__
        assert file is not None, module
        digest.update(Path(file).read_bytes())
        if (words := Path(file).with_suffix(".yaml")).exists():
            digest.update(words.read_bytes())
    for library in _LIBRARIES:
        digest.update(f"{library}=={importlib.metadata.version(library)}\n".encode())
    return digest.hexdigest()[:16]


def _name(campaign_id: str) -> str:
    return f"intake/{campaign_id}.zip"

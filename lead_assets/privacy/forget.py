"""Forgets one person: takes them out of everything that the home holds, keeps only what keeps them out, proves that nothing is left, and writes a receipt.

In this order, so that a crash at any point leaves a home that another `forget` finishes: suppressed first; then what they are called is remembered beside the
receipt; then each store; then everything is searched; last, what was remembered goes, too.
Does not belong here: who they are (see `person`), what a store holds (see `search`), how a drop is rewritten (see `redaction`).
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import TABLES, Lead, RawLead, RejectedPayload, Table
from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import value_hash
from lead_assets.delivery.archived import index_name
from lead_assets.delivery.facts import person_of
from lead_assets.delivery.rules import DeliveryRules, load_delivery_rules
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.payloads import FORGOTTEN
from lead_assets.ledger.erasing import Erasure
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.outbox_model import Sent
from lead_assets.privacy import databases
from lead_assets.privacy.asking import access_to, ask
from lead_assets.privacy.lists import FORGOTTEN_REASON, Identifier
from lead_assets.privacy.needles import Needle, Needles, pack, unpack
from lead_assets.privacy.person import COLUMNS, DataSubject, find, start
from lead_assets.privacy.redaction import DropReading, redact
from lead_assets.privacy.search import Holding, postgres_url, rows_with, search
from lead_assets.signals.subjects import subject
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import open_objects
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets.stores.warehouse.base import ContractViolation, Warehouse
from lead_assets.vendors import destinations
from lead_assets.vendors.offer import SubjectKind
from lead_assets.vendors.sending import Forgot, ToForget

_ROUNDS = 3
_SUBJECTS: tuple[SubjectKind, ...] = ("email", "contact", "person_profile")

Busy = Callable[[], Sequence[str]]
"""The ids of runs in progress: what they hold in memory, they would write after it was removed."""


class NotForgotten(RuntimeError):
    """Something is left, or cannot be changed. The text names the places and the next step, never the person."""


@dataclass
class Removed:
    """What was done to one store: places changed, and bytes that are no longer there."""

    places: int = 0
    size: int = 0

    def add(self, size: int, places: int = 1) -> None:
        self.places += places
        self.size += size


@dataclass
class Work:
    """One forgetting: the stores, the person, and what was done so far."""

    settings: Settings
    ledger: Ledger
    archive: Archive
    warehouse: Warehouse
    person: DataSubject
    erasure: str
    needles: Needles
    removed: dict[str, Removed] = field(default_factory=dict)

    def note(self, store: str, size: int, places: int = 1) -> None:
        self.removed.setdefault(store, Removed()).add(size, places)


def forget(settings: Settings, ledger: Ledger, asked: Identifier, *, dry_run: bool = False, busy: Busy = tuple) -> dict[str, Any]:
    """Forget the person with this address or number. Returns the receipt, which names nobody; with `dry_run`, what would be done.

    Raises NotForgotten if a run is in progress, or if something is left after all rounds; ValueError for a domain; RulesError if rules/delivery.yaml, which
    says where destinations are, was never good.
    """
    began = time.monotonic()
    if not dry_run and (running := list(busy())):
        raise NotForgotten(
            f"run {running[0]} is in progress and would write back what it has read: wait until it has ended or stop it, and repeat"
        )
    rules = load_delivery_rules(settings)
    archive, warehouse = archive_of(settings), warehouse_of(settings)
    warehouse.prepare()
    erasure = ledger.suppression_hash(asked.value)[:16]
    person = start(asked, hashes=ledger.suppression_hash(asked.value) != value_hash(asked.value))
    _remember_again(archive, erasure, person)
    held = who(settings, archive, warehouse, person)
    work = Work(settings, ledger, archive, warehouse, person, erasure, person.finder())
    receipt = _told(work, held, dry_run=dry_run)
    if dry_run:
        receipt["destinations"] = ask_destinations(settings, ledger, person, rules, dry_run=True)
        return receipt | {"seconds": round(time.monotonic() - began, 1)}
    ledger.suppress_all([(kind, value_hash(value), FORGOTTEN_REASON) for kind, value in person.tombstone()])
    _remember(archive, erasure, person)
    receipt["destinations"] = ask_destinations(settings, ledger, person, rules)
    for number in range(_ROUNDS):
        _take_out(work, held)
        held = [holding for holding in search(settings, work.needles) if not _is_memory(holding, erasure)]
        if not held:
            break
        if number == _ROUNDS - 1:
            places = ", ".join(work.needles.mask_text(holding.where)[0] for holding in held[:5])
            raise NotForgotten(
                f"after {_ROUNDS} rounds something is left in {len(held)} places, e.g. {places}: end what writes there, and repeat the command"
            )
    _let_go(archive, erasure)
    return _receipt(work, receipt, began)


def who(settings: Settings, archive: Archive, warehouse: Warehouse, person: DataSubject) -> list[Holding]:
    """Complete the person from warehouse and archive. Returns where they are held."""
    find(person, warehouse)
    held: list[Holding] = []
    known: tuple[tuple[Needle, ...], frozenset[str]] | None = None
    while known != (known := (person.needles(), person.beside)):
        held = search(settings, person.finder())
        find(person, warehouse, _rows_of_drops(settings, archive, _drops(held, archive)))
    return held


def _rows_of_drops(settings: Settings, archive: Archive, drops: Sequence[str]) -> pl.DataFrame:
    """The rows of drops, which the warehouse may not have: columns of person.COLUMNS. Others' too, because what is a part of theirs is not the person's."""
    from lead_assets.intake.drops import read_drops

    found = [RawLead.empty().select(COLUMNS)]
    for sha256 in drops:
        for receipt in archive.receipts_of(sha256):
            read = read_drops([(archive.get(sha256), receipt.column_map)], limits=settings.limits, adapters=adapters_of(settings))
            found.append(read.place([(0, receipt)])[0].select(COLUMNS))
    return pl.concat(found)


def _drops(held: Sequence[Holding], archive: Archive) -> list[str]:
    """The hashes of the drops among what was found."""
    names = {holding.where.rpartition("/")[2] for holding in held}
    return sorted(name for name in names if len(name) == 64 and archive.objects.holds(f"objects/{name[:2]}/{name}"))


def _take_out(work: Work, held: Sequence[Holding]) -> None:
    """One round: the archive first, because everything derived is made of it."""
    drops = _drops(held, work.archive)
    campaigns = set(work.person.campaigns)
    for sha256 in drops:
        campaigns |= {receipt.campaign_id for receipt in work.archive.receipts_of(sha256)}
        _redact_drop(work, sha256)
    derived = open_objects(work.settings.derived_location)
    for campaign in sorted(campaigns):
        for name in (f"intake/{campaign}.zip", index_name(campaign)):
            for entry in list(derived.entries(name)):
                derived.remove(entry)
                work.note("derived", entry.size)
    _redact_events(work)
    _redact_features(work)
    indices = _redact_lookalikes(work)
    _redact_ledger(work)
    _redact_warehouse(work, held)
    if work.settings.env == "production":
        _redact_landed(work)
    done = {f"objects/{sha256[:2]}/{sha256}" for sha256 in drops} | indices
    for holding in held:
        if not _is_memory(holding, work.erasure) and not any(holding.where.endswith(name) for name in done):
            _redact_place(work, holding)


def _redact_drop(work: Work, sha256: str) -> None:
    receipts = work.archive.receipts_of(sha256)
    maps = list({json.dumps(receipt.column_map, sort_keys=True): receipt.column_map for receipt in receipts}.values()) or [{}]
    reading = DropReading(work.settings.limits, adapters_of(work.settings), maps)
    data = work.archive.get(sha256)
    left = redact(data, work.needles, work.person.theirs, reading, name=f"drop {sha256[:12]}")
    if left.data == data:
        return
    record = {
        "erasure": work.erasure,
        "payloads": left.payloads,
        "bytes_masked": left.masked,
        "size_before": len(data),
        "size_after": len(left.data),
        "sha256_after": value_hash_of(left.data),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    work.archive.redact(sha256, left.data, work.erasure, orjson.dumps(record))
    gone = sum(len(text) for text in left.leads["payload"].to_list() if text)
    work.note("archive, drops", gone + left.masked)


def value_hash_of(data: bytes) -> str:
    import hashlib

    return hashlib.sha256(data).hexdigest()


def _redact_events(work: Work) -> None:
    """Events of theirs leave their files, which keep their names: rows of delivery.enrichment_events name them."""
    ids: dict[str, set[str]] = {}
    for campaign, lead in work.person.leads:
        ids.setdefault(campaign, set()).add(lead)
    for campaign, leads in ids.items():
        for entry in list(work.archive.events(campaign)):
            data = work.archive.read(entry.name)
            lines = gzip.decompress(data).splitlines(keepends=True)
            kept = [line for line in lines if orjson.loads(line).get("lead", {}).get("lead_id") not in leads]
            if len(kept) < len(lines):
                work.archive.objects.replace(entry.name, pack(b"".join(kept), "gzip"))
                work.note("archive, events", sum(map(len, lines)) - sum(map(len, kept)), len(lines) - len(kept))


def _redact_features(work: Work) -> None:
    """What was known of their leads when they were scored."""
    for name in work.archive.feature_names():
        mine = [lead for campaign, lead in work.person.leads if name.startswith(f"features/{campaign}/")]
        rows = pl.read_parquet(io.BytesIO(work.archive.read(name))) if mine else pl.DataFrame()
        if "lead_id" not in rows.columns or (left := rows.filter(~pl.col("lead_id").is_in(mine))).height == rows.height:
            continue
        made = io.BytesIO()
        left.write_parquet(made)
        work.archive.objects.replace(name, made.getvalue())
        work.note("archive, features", int(rows.estimated_size() - left.estimated_size()), rows.height - left.height)


def _redact_lookalikes(work: Work) -> set[str]:
    """Their records in indices of past leads. Returns the names of those that were changed."""
    from lead_assets.lookalike.home import PREFIX, without

    ids, hashes = {f"{campaign}/{lead}" for campaign, lead in work.person.leads}, {value_hash(email) for email in work.person.emails}
    changed = set()
    for name in [name for name in work.archive.objects.names(PREFIX) if name.endswith(".zip")]:
        left, count = without(work.archive.read(name), ids, hashes)
        if count:
            work.archive.objects.replace(name, left)
            work.note("archive, lookalike indices", 0, count)
            changed.add(name)
    return changed


def _redact_ledger(work: Work) -> None:
    subjects, accounts = subjects_of(work.warehouse, work.person)
    whole: list[int] = []
    rewritten: dict[int, tuple[str, bytes]] = {}
    size = 0
    for calls in work.ledger.calls_in_full():
        # Most calls have nothing to do with anybody in particular: one look at thousands.
        anything = work.needles.places(b"\0".join(call.told for call in calls))
        for call in calls:
            if call.subject in subjects or (anything and work.needles.places(call.subject.encode("utf-8", "surrogatepass"))):
                whole.append(call.id)
                size += len(call.told)
            elif anything and work.needles.finds(call.told):
                text, masked = work.needles.mask(call.text)
                rewritten[call.id] = (call.subject, text)
                size += masked
    persons = persons_of(work.person)
    persons |= {each.person: None for each in work.ledger.sent_about(persons, work.person.leads)}
    said = {
        view.view_id: "\0".join((view.name, *view.state.values())).encode("utf-8", "surrogatepass") for view in work.ledger.views.every()
    }
    views = [view_id for view_id, text in said.items() if work.needles.finds(text)]
    done = work.ledger.erase(Erasure(whole, rewritten, sorted(subjects), work.person.leads, sorted(accounts), sorted(persons), views))
    if work.settings.ledger_location.startswith("postgresql"):
        databases.compact_ledger(postgres_url(work.settings), [table for table, rows in done.items() if rows])
    for table, rows in done.items():
        if rows:
            work.note(f"ledger, {table}", size if table == "calls" else 0, rows)


def subjects_of(warehouse: Warehouse, person: DataSubject) -> tuple[set[str], set[str]]:
    """The subjects that calls about them have, and the accounts that are theirs alone."""
    known = set(warehouse.partitions(Lead))
    partitions = [campaign for campaign in person.campaigns if campaign in known]
    leads = warehouse.read(Lead, partitions).join(leads_of(person), on=["campaign_id", "lead_id"], how="semi")
    found = leads.select(subject(kind).alias(kind) for kind in _SUBJECTS)
    subjects = {value for name in found.columns for value in found[name].drop_nulls()}
    accounts = {key for key in leads["account_key"] if key.startswith("person:")}
    return subjects | person.emails, accounts


def leads_of(person: DataSubject) -> pl.DataFrame:
    """Columns campaign_id, lead_id."""
    return pl.DataFrame(person.leads, schema={"campaign_id": pl.String, "lead_id": pl.String}, orient="row")


def _redact_warehouse(work: Work, held: Sequence[Holding]) -> None:
    """Their rows leave every table, and what mentions them in others' rows is masked. A changed partition loses its note: the next run makes it again."""
    found = {holding.where for holding in held}
    drops = work.person.rows.select("campaign_id", "drop_sha256", "position", "part")
    for contract in TABLES.values():
        for key in work.warehouse.partitions(contract):
            mentioned = any(_is_partition(where, contract, key) for where in found) or work.settings.env == "production"
            if not mentioned and not (is_of_leads(contract) and (contract.grain != "campaign" or key in work.person.campaigns)):
                continue
            rows = work.warehouse.read(contract, [key])
            left = without(contract, rows, leads_of(work.person), drops)
            if contract is RejectedPayload:
                # A rejected payload is whoever's it names; of a whole file that was rejected, only what names them goes.
                theirs = rows_with(left, work.needles) & (left["position"] > 0)
                left = left.with_columns(raw_text=left["raw_text"].set(theirs, FORGOTTEN))
            if contract.grain == "home":
                # Made again as a whole by the next run, so that a row which names them can go.
                left = left.filter(~rows_with(left, work.needles))
            left, masked = _masked_rows(left, work.needles)
            if masked or not left.equals(rows):
                rewrite(work.warehouse, contract, left, key)
                work.note("warehouse", int(rows.estimated_size() - left.estimated_size()) + masked, rows.height - left.height or 1)


def _redact_landed(work: Work) -> None:
    from lead_assets.privacy import landed
    from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse

    if isinstance(work.warehouse, SnowflakeWarehouse) and (count := landed.empty_events(work.warehouse, work.person.leads, work.needles)):
        work.note("Snowpipe", 0, count)


def rewrite(warehouse: Warehouse, contract: type[Table], rows: pl.DataFrame, key: str) -> None:
    """Replace a partition, which the next run makes again. One that an earlier release made, before the table had columns that must have values, is emptied."""
    try:
        warehouse.write(contract, rows, [key])
    except ContractViolation:
        warehouse.write(contract, contract.empty(), [key])


def is_of_leads(contract: type[Table]) -> bool:
    return {"campaign_id", "lead_id"} <= set(contract.polars_schema())


def without(contract: type[Table], rows: pl.DataFrame, leads: pl.DataFrame, drops: pl.DataFrame) -> pl.DataFrame:
    """A table's rows without those of leads (campaign_id, lead_id) and of payloads (campaign_id, drop_sha256 and, as far as known, position and part)."""
    left = rows.join(leads, on=["campaign_id", "lead_id"], how="anti", maintain_order="left") if is_of_leads(contract) else rows
    if set(drops.columns) <= set(rows.columns):
        left = left.join(drops, on=drops.columns, how="anti", maintain_order="left")
    return left


def _is_partition(where: str, contract: type[Table], key: str) -> bool:
    """Whether what was found is this partition, in any warehouse."""
    from urllib.parse import quote

    schema, table = contract.table.split(".")
    return f"{schema}/{table}/" in where and f"={quote(key, safe='')}/" in where


def _masked_rows(rows: pl.DataFrame, needles: Needles) -> tuple[pl.DataFrame, int]:
    """The rows with every mention masked, and how many bytes were."""
    concerned = rows_with(rows, needles)
    if not concerned.any():
        return rows, 0
    masked = 0
    at = concerned.arg_true()
    for name, dtype in rows.schema.items():
        if dtype == pl.String:
            new = [needles.mask_text(text) if text is not None else (None, 0) for text in rows[name].gather(at)]
            values: list[Any] = [text for text, _ in new]
        elif dtype == pl.List(pl.String):
            lists = [[needles.mask_text(text or "") for text in texts] if texts is not None else None for texts in rows[name].gather(at)]
            values = [[text for text, _ in each] if each is not None else None for each in lists]
            new = [pair for each in lists for pair in each or []]
        else:
            continue
        if count := sum(count for _, count in new):
            masked += count
            changed = rows[name].to_list()
            for place, value in zip(at, values, strict=True):
                changed[place] = value
            rows = rows.with_columns(pl.Series(name, changed, dtype=dtype))
    return rows, masked


def _redact_place(work: Work, holding: Holding) -> None:
    """Whatever was found and has no owner above: by the kind of the file."""
    if holding.where.startswith("Postgres"):
        work.note("Postgres", databases.mask_postgres(postgres_url(work.settings), work.needles))
    elif holding.object is not None:
        _redact_object(work, *holding.object)
    elif holding.path is not None and holding.path.exists():
        _redact_file(work, holding.path)
        if holding.in_name:
            masked, _ = work.needles.mask_text(holding.path.name)
            holding.path.rename(holding.path.with_name(masked.replace("*", "_")))
            work.note("file names", len(holding.path.name.encode()))


def _redact_object(work: Work, location: str, name: str) -> None:
    store = open_objects(location)
    if f"{location}/{name}".startswith(f"{work.settings.derived_location}/"):
        for entry in [entry for entry in store.entries(name) if entry.name == name]:
            store.remove(entry)
            work.note("derived", entry.size)
        return
    try:
        data, size = _masked_bytes(store.get(name), work)
    except FileNotFoundError:  # gone since it was listed
        return
    store.replace(name, data)
    work.note("objects", size)


def _redact_file(work: Work, path: Path) -> None:
    store = _store_of(work.settings, path)
    if store == "derived":
        work.note(store, path.stat().st_size)
        path.unlink(missing_ok=True)
        return
    if path.name.endswith(("-wal", "-shm", "-journal")) and databases.is_sqlite(Path(str(path).rpartition("-")[0])):
        path = Path(str(path).rpartition("-")[0])
    if databases.is_sqlite(path):
        # The ledger's own rows are done: what may be left of them is on free pages.
        is_ledger = work.settings.ledger_location.endswith(path.name) and store not in work.removed
        size = 0 if is_ledger else databases.mask_sqlite(path, work.needles)
        databases.compact_sqlite(path)
        work.note(store, size)
        return
    data = path.read_bytes()
    changed, size = _masked_bytes(data, work)
    if changed != data:
        aside = path.with_name(f".{work.erasure}.tmp")
        aside.write_bytes(changed)
        os.chmod(aside, path.stat().st_mode)
        aside.replace(path)
    work.note(store, size)


def _masked_bytes(data: bytes, work: Work) -> tuple[bytes, int]:
    """A file or object without them: leads in it go whole, if it is a drop that waits or was taken; in everything else they are masked."""
    if data.startswith(b"PAR1"):
        frame, size = _masked_rows(pl.read_parquet(io.BytesIO(data)), work.needles)
        made = io.BytesIO()
        frame.write_parquet(made)
        return made.getvalue(), size
    if not data.startswith(b"PK\x03\x04") and not work.needles.finds(data):
        return data, 0  # what has an owner is clean by now, such as files of events
    with contextlib.suppress(ValueError):
        reading = DropReading(work.settings.limits, adapters_of(work.settings))
        left = redact(data, work.needles, work.person.theirs, reading)
        if not work.needles.finds(left.data):
            return left.data, left.masked + max(0, len(data) - len(left.data))
    if data.startswith(b"PK\x03\x04"):
        made = io.BytesIO()
        size = 0
        with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
            for member in archive.infolist():
                content, count = _masked_bytes(archive.read(member), work)
                size += count
                packed.writestr(member, content)
        return made.getvalue(), size
    if (text := unpack(data)) is not None:
        masked, size = work.needles.mask(text)
        return pack(masked, "gzip" if data[:1] == b"\x1f" else "zlib"), size
    return work.needles.mask(data)


def _store_of(settings: Settings, path: Path) -> str:
    """The store that a file belongs to, as the receipt calls it."""
    folders = {
        "derived": Path(settings.derived_location),
        "landing zone": Path(settings.landing_location),
        "archive": Path(settings.archive_location),
        "warehouse": settings.warehouse_folder,
        "run history": Path(os.environ.get("DAGSTER_HOME", settings.home / "dagster")),
    }
    for name, folder in folders.items():
        if path.is_relative_to(folder.resolve()):
            return name
    return "ledger, free pages" if path.name.startswith("ledger.sqlite") else "other files"


def persons_of(person: DataSubject) -> dict[str, str | None]:
    """What the outbox calls them → the e-mail address, where it is made of one."""
    found: dict[str, str | None] = {person_of(None, campaign, lead): None for campaign, lead in person.leads}
    return found | {person_of(email, "", ""): email for email in sorted(person.emails)}


def ask_destinations(
    settings: Settings, ledger: Ledger, person: DataSubject, rules: DeliveryRules, *, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Where they were sent to, and whether the destination took the request to delete them; if not, or not all of it, why."""
    persons = persons_of(person)
    sent = ledger.sent_about(persons, person.leads)
    ids: dict[str, dict[str, str | None]] = {}
    for name, known_as, vendor_id in ledger.ids_at_destinations(persons):
        ids.setdefault(name, {})[known_as] = vendor_id
    told = []
    for name in sorted({*ids, *(each.destination for each in sent)}):
        theirs, got = ids.get(name, {}), [each for each in sent if each.destination == name]
        forgot = Forgot(False, "dry_run") if dry_run else _asked(settings, rules, name, persons, theirs, got)
        row = {"destination": name, "vendor_ids": sorted({each for each in theirs.values() if each}), "asked": forgot.asked}
        told.append(row | ({"why": forgot.why} if forgot.why else {}))
    return told


def _asked(
    settings: Settings,
    rules: DeliveryRules,
    name: str,
    persons: Mapping[str, str | None],
    ids: Mapping[str, str | None],
    sent: Sequence[Sent],
) -> Forgot:
    access = access_to(settings, rules, name)
    if isinstance(access, str):
        return Forgot(False, access)
    destination = destinations()[name].destination
    known = {*ids, *(each.person for each in sent)}
    whom = ToForget(
        settings=access.settings,
        rules=access.rules,
        url=access.url,
        key=access.key,
        emails={person: email for person, email in persons.items() if email},
        persons=sorted(known & persons.keys()),
        ids=ids,
        sent=sent,
    )
    try:
        forgot = ask(lambda: destination.forget(whom))
    except ProviderError as error:
        return Forgot(False, error.reason)
    if destination.keeps_people and not known <= persons.keys():
        # A record of an address that others have, too, is theirs as well.
        return Forgot(bool(whom.persons) and forgot.asked, "shared_address")
    return forgot


def _told(work: Work, held: Sequence[Holding], *, dry_run: bool) -> dict[str, Any]:
    """What is known before anything is changed. Names nobody."""
    person = work.person
    kinds: dict[str, int] = {}
    for needle in work.needles.needles:
        kinds[needle.kind] = kinds.get(needle.kind, 0) + 1
    return {
        "erasure": work.erasure,
        "asked_by": person.asked.kind,
        "country_known": person.asked.kind != "phone" or person.asked.value.startswith("+"),
        "dry_run": dry_run,
        "leads": len(person.leads),
        "payloads": person.rows.height,
        "campaigns": person.campaigns,
        "looked_for": kinds,
        "held": [
            {"where": work.needles.mask_text(holding.where)[0], **({"found": holding.found} if holding.found else {})} for holding in held
        ],
        "left_to_others": person.shared,
    }


def _receipt(work: Work, receipt: dict[str, Any], began: float) -> dict[str, Any]:
    done = receipt | {
        "suppressed": len(work.person.tombstone()),
        "removed": {store: {"places": each.places, "bytes": each.size} for store, each in sorted(work.removed.items())},
        "proof": {"forms_looked_for": len(work.needles.forms), "places_left": 0},
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
    }
    name = f"erasures/{work.erasure}/receipt-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    work.archive.objects.put(name, orjson.dumps(done, option=orjson.OPT_INDENT_2))
    return done | {"receipt": name}


def _memory(erasure: str) -> str:
    return f"erasures/{erasure}/unfinished.json"


def _is_memory(holding: Holding, erasure: str) -> bool:
    return holding.where.endswith(_memory(erasure))


def _remember(archive: Archive, erasure: str, person: DataSubject) -> None:
    """What they are called, until nothing is left: a second `forget` after a crash may find no row that says it."""
    kept = {
        "emails": sorted(person.emails),
        "phones": sorted(person.phones),
        "numbers": sorted(person.numbers),
        "profiles": sorted(person.profiles),
        "names": sorted(person.names),
        "texts": {kind: sorted(texts) for kind, texts in person.texts.items()},
        "rows": person.rows.to_dicts(),
    }
    archive.objects.replace(_memory(erasure), orjson.dumps(kept))


def _remember_again(archive: Archive, erasure: str, person: DataSubject) -> None:
    """Take over what an unfinished `forget` remembered."""
    try:
        kept = orjson.loads(archive.read(_memory(erasure)))
    except FileNotFoundError:
        return
    for name in ("emails", "phones", "numbers", "profiles", "names"):
        getattr(person, name).update(kept[name])
    for kind, texts in kept["texts"].items():
        person.texts[kind].update(texts)
    person.rows = pl.DataFrame(kept["rows"], schema=person.rows.schema)


def _let_go(archive: Archive, erasure: str) -> None:
    name = _memory(erasure)
    for entry in list(archive.objects.entries(name)):
        archive.objects.replace(name, b"\0" * entry.size)
    for entry in list(archive.objects.entries(name)):
        archive.objects.remove(entry)

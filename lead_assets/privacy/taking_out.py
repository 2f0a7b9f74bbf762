"""Takes a person out of each store: drops, events, features, lookalike indices, ledger, warehouse; the rest is masked.

Does not belong here: the order of a whole forgetting and its proof (see `forget`), how a drop is rewritten (see `redaction`).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

import orjson
import polars as pl

from lead_assets.contracts import TABLES, RejectedPayload, Table
from lead_assets.core.suppressing import value_hash
from lead_assets.delivery.archived import index_name
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.payloads import FORGOTTEN
from lead_assets.ledger.erasing import Erasure
from lead_assets.privacy import databases
from lead_assets.privacy.held_rows import is_of_leads, leads_of, persons_of, rewrite, subjects_of, without
from lead_assets.privacy.masking import masked_rows, redact_place
from lead_assets.privacy.needles import pack
from lead_assets.privacy.redaction import DropReading, redact
from lead_assets.privacy.search import Holding, postgres_url, rows_with
from lead_assets.privacy.unfinished import is_memory
from lead_assets.privacy.work import Work
from lead_assets.stores.archive import Archive
from lead_assets.stores.objects import open_objects


def take_out(work: Work, held: Sequence[Holding]) -> None:
    """One round: the archive first, because everything derived is made of it."""
    drops = drops_of(held, work.archive)
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
        if not is_memory(holding, work.erasure) and not any(holding.where.endswith(name) for name in done):
            redact_place(work, holding)


def drops_of(held: Sequence[Holding], archive: Archive) -> list[str]:
    """The hashes of the drops among what was found."""
    names = {holding.where.rpartition("/")[2] for holding in held}
    return sorted(name for name in names if len(name) == 64 and archive.objects.holds(f"objects/{name[:2]}/{name}"))


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
        "sha256_after": hashlib.sha256(left.data).hexdigest(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    work.archive.redact(sha256, left.data, work.erasure, orjson.dumps(record))
    gone = sum(len(text) for text in left.leads["payload"].to_list() if text)
    work.note("archive, drops", gone + left.masked)


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
            left, masked = masked_rows(left, work.needles)
            if masked or not left.equals(rows):
                rewrite(work.warehouse, contract, left, key)
                work.note("warehouse", int(rows.estimated_size() - left.estimated_size()) + masked, rows.height - left.height or 1)


def _redact_landed(work: Work) -> None:
    from lead_assets.privacy import landed
    from lead_assets.stores.warehouse.snowflake import SnowflakeWarehouse

    if isinstance(work.warehouse, SnowflakeWarehouse) and (count := landed.empty_events(work.warehouse, work.person.leads, work.needles)):
        work.note("Snowpipe", 0, count)


def _is_partition(where: str, contract: type[Table], key: str) -> bool:
    """Whether what was found is this partition, in any warehouse."""
    schema, table = contract.table.split(".")
    return f"{schema}/{table}/" in where and f"={quote(key, safe='')}/" in where

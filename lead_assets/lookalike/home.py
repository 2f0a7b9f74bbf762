"""The home's own index: built from leads that have ended, stored as one object of the archive, and asked for the leads of each campaign.

Belongs here: what is compared of a lead, whether there are enough leads, storing, asking. Does not belong here: the engine (see `index`), or which index a
campaign is pinned to (see `assets`).
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from lead_assets.contracts import EnrichedLead, Lead, LeadOutcome, LeadSimilarity
from lead_assets.core.columns import map_distinct
from lead_assets.stores.archive import Archive
from lead_assets.stores.first_scored import KEYS, WHOLE, as_first_scored

if TYPE_CHECKING:
    from lead_assets.lookalike.index import LookalikeIndex

FEWEST_OF_EACH = 10
"""Won and lost leads below which a likeness says more about these few than about the lead."""

# FAISS, SciPy and scikit-learn are imported only where an index is built or asked: a home without outcomes pays for none of them.
_KINDS = {
    "text": ("title", "company_description"),
    "categories": ("industry", "country_code", "seniority", "department"),
    "numbers": ("headcount", "web_activity_score", "email_engagement_score"),
}
"""What is compared: nothing that says who a lead is."""
_STOOD = (
    *("title", "company_description", "industry", "company_industry", "country_code", "seniority", "department", "headcount_min"),
    *("web_activity_score", "email_engagement_score"),
)
"""The columns of the query OF_ENDED that may change after a lead was scored, and that it is compared by."""
_EMAIL = "email_hash"
_NO_INDEX = "no index was in use when the campaign was made"
_DUPLICATE = "email_exact_match"
_SAYS_NOTHING = "the lead says nothing in the columns that are compared"

OF_ENDED = """
SELECT leads.campaign_id, leads.lead_id, leads.received_at, outcomes.outcome, outcomes.email_hash, leads.title, leads.industry,
  leads.country_code, leads.seniority, leads.department, leads.web_activity_score, leads.email_engagement_score,
  enriched.company_description, enriched.company_industry, enriched.headcount_min
FROM scoring.outcomes AS outcomes
JOIN identity.leads AS leads ON leads.campaign_id = outcomes.campaign_id AND leads.lead_id = outcomes.lead_id
JOIN signals.enriched_leads AS enriched ON enriched.campaign_id = outcomes.campaign_id AND enriched.lead_id = outcomes.lead_id
WHERE outcomes.outcome IN ('won', 'lost')
"""
READS = (LeadOutcome, Lead, EnrichedLead)


def compared(rows: pl.DataFrame) -> pl.DataFrame:
    """id (campaign/lead), received_at, email_hash and the columns that are compared, in order of id. rows: leads with their own and their enriched columns."""
    hashes = rows[_EMAIL] if _EMAIL in rows.columns else map_distinct(rows["email_normalized"], _hashed)
    return rows.select(
        (pl.col("campaign_id") + "/" + pl.col("lead_id")).alias("id"),
        "received_at",
        hashes.alias(_EMAIL),
        *_KINDS["text"],
        pl.coalesce("company_industry", "industry").alias("industry"),
        *_KINDS["categories"][1:],
        pl.col("headcount_min").alias("headcount"),
        *_KINDS["numbers"][1:],
        *([pl.col("outcome")] if "outcome" in rows.columns else []),
    ).sort("id")


def as_they_stood(ended: pl.DataFrame, archive: Archive) -> tuple[pl.DataFrame, int]:
    """Rows of the query OF_ENDED with what was known of each lead when it was first scored, and of how many leads that is known. The others are as they are
    today: an earlier release scored them."""
    stood = as_first_scored(archive, ended, _STOOD).filter(WHOLE).select(*KEYS, WHOLE, *_STOOD)
    both = ended.join(stood, on=KEYS, how="left", suffix=" then", validate="1:1", maintain_order="left")
    then = pl.col(WHOLE).fill_null(False)
    changed = (pl.when(then).then(pl.col(f"{name} then").cast(ended.schema[name])).otherwise(name).alias(name) for name in _STOOD)
    return both.with_columns(changed).select(ended.columns), int(both[WHOLE].sum())


def build(ended: pl.DataFrame, outcomes: pl.DataFrame, archive: Archive) -> dict[str, Any]:
    """A row of contracts.LookalikeBuild. ended: rows of the query OF_ENDED; outcomes: of contracts.LeadOutcome.

    What was built from the same leads is kept in the archive, and is the same again also if the warehouse was deleted.
    """
    ended, as_scored = as_they_stood(ended, archive)
    records = compared(ended)
    customers = outcomes.filter(pl.col("lead_id").is_null() & (pl.col("outcome") == "won"))[_EMAIL].drop_nulls().unique().sort()
    counts = {name: int((records["outcome"] == name).sum()) for name in ("won", "lost")}
    hashed = _data_hash(records, customers)
    row: dict[str, Any] = {"data_hash": hashed, "artifact": None, "rows": records.height, "as_scored": as_scored, **counts}
    row |= {"customers": len(customers)}
    row |= {"compared": [name for names in _KINDS.values() for name in names]}
    if lacking := [f"{FEWEST_OF_EACH - count} more {name}" for name, count in counts.items() if count < FEWEST_OF_EACH]:
        needed = (
            f"{' and '.join(lacking)} leads are needed ({FEWEST_OF_EACH} of each; {counts['won']} won and {counts['lost']} lost are known)"
        )
        return row | {"verdict": "too_few", "reason": f"there is nothing to compare leads with: {needed}"}
    kept = f"models/lookalike-{hashed}.json"
    try:
        artifact: str = orjson.loads(archive.read(kept))
    except FileNotFoundError:
        data = _packed(_built(records, customers, outcomes))
        artifact = hashlib.sha256(data).hexdigest()
        archive.objects.put(object_of(artifact), data)
        archive.objects.put(kept, orjson.dumps(artifact))
    reason = f"built from {records.height} leads that have ended, {counts['won']} of them won"
    return row | {"artifact": artifact, "verdict": "in_use", "reason": reason}


PREFIX = "models/lookalike-"


def object_of(sha256: str) -> str:
    """The name of an index in the archive. It is no drop: nothing in it is a payload."""
    return f"{PREFIX}{sha256}.zip"


def without(data: bytes, ids: Collection[str], email_hashes: Collection[str]) -> tuple[bytes, int]:
    """An index's bytes in which these leads (campaign/lead) and addresses are nobody: their records keep outcome and vector. And how many there were."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        contents = {name: packed.read(name) for name in packed.namelist()}
    records = pl.read_parquet(io.BytesIO(contents["records.parquet"]))
    customers: list[str] = orjson.loads(contents["emails.json"])
    kept = [email for email in customers if email not in email_hashes]
    theirs = (pl.col("id").is_in(list(ids)) | pl.col(_EMAIL).is_in(list(email_hashes))).fill_null(False)
    count = records.filter(theirs).height + len(customers) - len(kept)
    if not count:
        return data, 0
    nobody = {"id": pl.lit("forgotten ") + pl.int_range(pl.len()).cast(pl.String), "outcome": pl.col("outcome"), "high": pl.col("high")}
    hidden = (pl.when(theirs).then(nobody.get(name, pl.lit(None))).otherwise(pl.col(name)).alias(name) for name in records.columns)
    left = io.BytesIO()
    records.with_columns(hidden).write_parquet(left)
    contents |= {"records.parquet": left.getvalue(), "emails.json": orjson.dumps(kept)}
    with zipfile.ZipFile(made, "w") as packed:
        for name, content in contents.items():
            packed.writestr(zipfile.ZipInfo(name), content)
    return made.getvalue(), count


def load(archive: Archive, sha256: str) -> LookalikeIndex:
    """The index of this hash. Raises WrongIndex for one of other columns, another version, or that the archive lacks; its text names no place."""
    from lead_assets.lookalike.index import WrongIndex

    try:
        data = archive.read(object_of(sha256))
    except FileNotFoundError:
        raise WrongIndex("the archive lacks it; restore it from a backup") from None
    return _unpacked(data)


@lru_cache(maxsize=1)
def _unpacked(data: bytes) -> LookalikeIndex:
    """The index in these bytes, kept for who asks lead by lead. By the bytes, not their name: an erasure changes them."""
    from lead_assets.lookalike import index_files
    from lead_assets.lookalike.index import WrongIndex

    with tempfile.TemporaryDirectory(prefix="lead-assets-") as scratch:
        folder = Path(scratch)
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                packed.extractall(folder)
            index = index_files.load(folder)
            index_files.same_columns(folder, index.spec, _KINDS)
        except (zipfile.BadZipFile, FileNotFoundError, WrongIndex) as error:
            raise WrongIndex(str(error).removeprefix(f"{folder}: ")) from None
    return index


def lead_similarities(leads: pl.DataFrame, enriched: pl.DataFrame, pinned: Mapping[str, str], archive: Archive) -> pl.DataFrame:
    """Rows of contracts.LeadSimilarity, one per enriched lead. leads, enriched: of contracts Lead and EnrichedLead; pinned: campaign → hash of its index, or
    "" without one.

    Each campaign is asked by itself: the last digits of a figure depend on what is asked together, and a rebuild must repeat them.
    """
    keys = ["campaign_id", "lead_id"]
    own = [name for name in enriched.columns if name not in leads.columns or name in keys]
    rows = leads.join(enriched.select(own), on=keys, how="inner", validate="1:1").sort(keys)
    frames = [LeadSimilarity.empty()]
    loaded: dict[str, LookalikeIndex | str] = {"": _NO_INDEX}
    for (campaign,), some in rows.partition_by("campaign_id", as_dict=True, maintain_order=True).items():
        sha256 = pinned.get(str(campaign), "")
        if sha256 not in loaded:
            loaded[sha256] = _loaded(archive, sha256)
        index = loaded[sha256]
        frames.append(_unknown(some, index) if isinstance(index, str) else _asked(some, index))
    return pl.concat(frames)


def _loaded(archive: Archive, sha256: str) -> LookalikeIndex | str:
    from lead_assets.lookalike.index import WrongIndex

    try:
        return load(archive, sha256)
    except WrongIndex as error:
        return f"the campaign's index cannot be used ({str(error).partition(';')[0]})"


def _unknown(rows: pl.DataFrame, why: str) -> pl.DataFrame:
    usual = {"is_duplicate": pl.lit(None), "neighbours": pl.lit("[]"), "reason": pl.lit(why)}
    return rows.select(
        usual.get(name, pl.col(name) if name in ("campaign_id", "lead_id") else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in LeadSimilarity.polars_schema().items()
    )


def _asked(rows: pl.DataFrame, index: LookalikeIndex) -> pl.DataFrame:
    asked = compared(rows)
    records = index.records.shown
    with_address = records.filter(pl.col(_EMAIL).is_not_null())
    ids = set(records["id"])
    by_address = dict(with_address.select(_EMAIL, "id").reverse().iter_rows())
    # Of two leads of one customer only the later one is a duplicate.
    won = with_address.filter("high").sort("received_at", "id", descending=True).select(_EMAIL, "received_at", "id")
    first = {email: (at, name) for email, at, name in won.iter_rows()}
    named = list(asked.select("id", _EMAIL).iter_rows())
    came = asked["received_at"].to_list()
    duplicate = [
        email in index.records.emails or (email in first and first[email] < (at, name))
        for (name, email), at in zip(named, came, strict=True)
    ]
    # A lead that has ended is a record itself; otherwise the same person in another campaign may be one.
    asked = asked.with_columns(own=pl.Series([name if name in ids else by_address.get(email) for name, email in named], dtype=pl.String))
    found = index.ask(asked, own="own")
    near = index.neighbours(asked, found)
    told = pl.DataFrame(
        {
            "id": asked["id"],
            **{name: found[name].round(6) for name in ("s_look", "s_novel", "contrast")},
            "is_duplicate": pl.Series(duplicate, dtype=pl.Boolean),
            "neighbours": pl.Series([orjson.dumps(each, option=orjson.OPT_SORT_KEYS).decode() for each in near], dtype=pl.String),
        }
    )
    nothing = pl.when("is_duplicate").then(pl.lit(_DUPLICATE)).when(pl.col("s_novel").is_null()).then(pl.lit(_SAYS_NOTHING))
    known = told.with_columns(nothing.alias("reason")).with_columns(
        *(pl.when(~pl.col("is_duplicate")).then(name).alias(name) for name in ("s_look", "s_novel", "contrast")),
        pl.when("is_duplicate").then(pl.lit("[]")).otherwise("neighbours").alias("neighbours"),
    )
    wide = rows.select("campaign_id", "lead_id", id=pl.col("campaign_id") + "/" + pl.col("lead_id")).join(
        known, on="id", how="left", validate="1:1", maintain_order="left"
    )
    return wide.select(pl.col(name).cast(dtype) for name, dtype in LeadSimilarity.polars_schema().items())


def _built(records: pl.DataFrame, customers: pl.Series, outcomes: pl.DataFrame) -> LookalikeIndex:
    from lead_assets.lookalike import index
    from lead_assets.lookalike.encoder import spec_of

    made = index.build(records, spec_of(_KINDS), label="outcome", positive="won", id_column="id")
    shown = made.records.shown.with_columns(records[_EMAIL], records["received_at"])
    made.records = replace(made.records, shown=shown, emails=frozenset(customers))
    newest: Any = outcomes["known_at"].max()
    made.built_at = newest.isoformat(timespec="seconds")  # not the clock: the same leads give the same bytes
    return made


def _packed(index: LookalikeIndex) -> bytes:
    """One zip file, whose members say no time."""
    from lead_assets.lookalike import index_files

    made = io.BytesIO()
    with tempfile.TemporaryDirectory(prefix="lead-assets-") as folder, zipfile.ZipFile(made, "w") as packed:
        index_files.save(index, Path(folder))
        for path in _sorted_files(folder):
            packed.writestr(zipfile.ZipInfo(path.name), path.read_bytes())
    return made.getvalue()


def _sorted_files(folder: str) -> Iterator[Path]:
    yield from sorted(path for path in Path(folder).iterdir() if path.is_file())


def _data_hash(records: pl.DataFrame, customers: pl.Series) -> str:
    from lead_assets.lookalike.index_files import FORMAT
    from lead_assets.lookalike.words import TfIdf

    made_by = hashlib.sha256(f"{FORMAT} {TfIdf.version}".encode())
    for part in (records, customers.to_frame()):
        made_by.update(part.write_csv().encode())
    return made_by.hexdigest()


def _hashed(email: str) -> str:
    return hashlib.sha256(email.strip().casefold().encode()).hexdigest()

"""Turns raw leads into leads: removes duplicates and suppressed people, and adds normalised columns beside the originals.

Belongs here: which rows are the same lead, which one is kept, and who must not be processed. Does not belong here: how a value is normalised (see the
sibling modules) or where suppressions are recorded (see `lead_assets.ledger`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from lead_assets.contracts import Duplicate, Lead, SuppressedLead
from lead_assets.core.columns import WORTH_THREADS, at_once, conform, map_distinct
from lead_assets.core.emails import email_domains, email_kinds, mailbox_keys, normalise_emails
from lead_assets.core.garbage import no_garbage_sought
from lead_assets.core.places.reading import read_texts
from lead_assets.core.suppressing import NATIONAL, value_hash
from lead_assets.core.titles import title_roles
from lead_assets.identity.companies import company_domains, of_many_companies, registrable_domains
from lead_assets.identity.company_names import clean_companies
from lead_assets.identity.merge import survivors
from lead_assets.identity.people import name_parts
from lead_assets.identity.person_names import likeness
from lead_assets.identity.phones import normalise_phones, phone_key
from lead_assets.identity.places import locate
from lead_assets.identity.same_person import same_person

# A sender's clock further ahead of ours than this is wrong, and must not let one payload win forever.
_CLOCK_TOLERANCE = timedelta(days=1)
_NAMES = ("full_name", "first_name", "last_name")
_SAYS_WHO = (*_NAMES, "email", "phone", "linkedin_url", "company", "property_address", "city")
DERIVED_ID = "ld_"
"""What ids begin with that intake derived from what a lead says of itself, because its sender gave none."""


@dataclass(frozen=True)
class Resolved:
    """Every raw lead exactly once: kept, a duplicate of a kept (or suppressed) one, or suppressed. Frames of the contracts Lead, Duplicate, SuppressedLead."""

    leads: pl.DataFrame
    duplicates: pl.DataFrame
    suppressed: pl.DataFrame


def resolve(raw: pl.DataFrame, suppressions: pl.DataFrame | None = None, hashed: Callable[[str], str] = value_hash) -> Resolved:
    """Decide who each raw lead is (columns of RawLead; any number of campaigns).

    Within a campaign, rows are the same lead if they share the id that their sender gave, if they say the same, or if `same_person` finds evidence of one
    person and one property address (a lending applicant may ask about two properties), also through chains. The newest by `submitted_at`, or else by
    arrival, is kept, under the id of the row that arrived first, and what it lacks is filled from the others (see `merge`). `suppressions` has the columns
    kind ("email", "domain" or "phone"), value_hash (`hashed` of a value of `core.suppressing`), reason and suppressed_at: a lead is suppressed if any of its
    rows matches.
    The result does not depend on the order of the rows.
    """
    with no_garbage_sought():
        return _resolved(raw, suppressions, hashed)


def _resolved(raw: pl.DataFrame, suppressions: pl.DataFrame | None, hashed: Callable[[str], str]) -> Resolved:
    rows = raw.with_columns(email_normalized=_emails(raw)).pipe(_ranked).with_row_index("row")
    with ThreadPoolExecutor(1) as beside:
        if rows.height >= WORTH_THREADS:
            beside.submit(read_tables)
        groups, possible = _groups(rows)
        rows = rows.with_columns(group=groups)
        kept = _with_ids_of_their_own(survivors(rows), rows)
    banned = _banned(rows, suppressions, hashed)
    kept = _with_possible_duplicates(kept, possible, banned)
    going_on = kept if banned.is_empty() else kept.join(banned, on="group", how="anti", maintain_order="left")
    leads, duplicates = at_once(rows.height, lambda: _leads(going_on), lambda: _duplicates(rows, kept, banned))
    return Resolved(
        leads=leads,
        duplicates=duplicates,
        suppressed=kept.join(banned, on="group", how="inner", maintain_order="left").select(SuppressedLead.polars_schema().names()),
    )


def _emails(raw: pl.DataFrame) -> pl.Series:
    """The addresses as intake normalised them; those that came another way are normalised here."""
    known = raw["email_normalized"]
    unknown = known.is_null() & raw["email"].is_not_null()
    if not unknown.any():
        return known
    return pl.select(pl.coalesce(known, normalise_emails(raw["email"].set(~unknown, None))["email_normalized"])).to_series()


def read_tables() -> None:
    """Read what names, companies and places are compared with, while other columns are worked on: a quarter of a second, once in a process. Nobody waits for
    the end, or would hear of an error."""
    likeness("Bill Doe", "William Doe")
    registrable_domains(pl.Series(["acme.example"]))
    name_parts(*(pl.Series([text], dtype=pl.String) for text in ("Jane van Doe", None, None)))
    read_texts(["Texas", "Springfield"])


def _ranked(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows from oldest to newest in each campaign. (drop_sha256, position, part) is unique in a campaign, so the order is total."""
    credible = pl.when(pl.col("submitted_at") <= pl.col("received_at") + _CLOCK_TOLERANCE).then("submitted_at")
    keys = ("campaign_id", pl.coalesce(credible, "received_at"), "received_at", "drop_sha256", "position", "part")
    order = rows.select(pl.arg_sort_by(*keys)).to_series()
    # One drop is mostly in order, and its rows are long.
    return rows if order.is_sorted() else rows[order]


def _groups(rows: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
    """A number per row, equal for rows of the same lead: connected components of rows that share an id, or evidence of one person about one property; and
    pairs of these numbers (one, other) that may be one person."""
    ids = rows.select(pl.col("row").first().over("campaign_id", "lead_id").cast(pl.Int64)).to_series()
    derived = rows["lead_id"].str.starts_with(DERIVED_ID)
    if derived.any() and (again := derived & (ids != rows["row"])).any():
        ids = _of_equal_rows(rows, ids, pl.Series(again))
    found = same_person(rows.with_columns(by_id=ids))
    possible = found.possible.select(one="one_id", other="other_id")
    links = found.links.filter(pl.col("by_key").is_duplicated())
    if not links.is_empty():
        roots = smallest_of_component(links)
        ids = ids.replace(roots["by_id"], roots["smallest"])
        possible = possible.select(pl.all().replace(roots["by_id"], roots["smallest"]))
    return ids.alias("group"), possible.filter(pl.col("one") != pl.col("other"))


def _of_equal_rows(rows: pl.DataFrame, ids: pl.Series, again: pl.Series) -> pl.Series:
    """`ids` (a number per row, equal for one lead id) without those that are equal for a derived id alone: it is a hash of a mailbox or a number, which a
    couple may share. Rows that say the same are one lead all the same."""
    shared = rows.select(*_SAYS_WHO, "title", "row").with_columns(id=ids).filter(pl.Series(ids.is_in(ids.filter(again).unique().implode())))
    first = shared.select("row", first=pl.col("row").first().over("id", *_SAYS_WHO, "title").cast(pl.Int64))
    return ids.scatter(first["row"], first["first"])


def _with_ids_of_their_own(kept: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Leads of several people whose rows had one derived id: the one that arrived first keeps it, the others' says what they say of who they are."""
    derived = kept.filter(pl.col("lead_id").str.starts_with(DERIVED_ID)).select("campaign_id", "lead_id")
    if not derived.is_duplicated().any():
        return kept
    order = ("received_at", "drop_sha256", "position", "part")
    first = rows.filter(pl.col("lead_id").str.starts_with(DERIVED_ID)).sort(order).group_by("group", maintain_order=True).first()
    first = first.filter(pl.struct("campaign_id", "lead_id").is_duplicated() & ~pl.struct("campaign_id", "lead_id").is_first_distinct())
    first = first.with_columns(says=pl.concat_str("lead_id", *(pl.col(name).fill_null("") for name in _SAYS_WHO), separator="\x1f"))
    # Namesakes of one company with two jobs.
    again = ~pl.struct("campaign_id", "says").is_first_distinct()
    with_title = pl.concat_str("says", pl.col("title").fill_null(""), separator="\x1f")
    says = first.select(pl.when(again).then(with_title).otherwise("says")).to_series()
    own = first.select("group", own=map_distinct(says, lambda text: DERIVED_ID + hashlib.sha256(text.encode()).hexdigest()[:16]))
    return kept.join(own, on="group", how="left", maintain_order="left").with_columns(lead_id=pl.coalesce("own", "lead_id")).drop("own")


def _with_possible_duplicates(kept: pl.DataFrame, possible: pl.DataFrame, banned: pl.DataFrame) -> pl.DataFrame:
    """Column possible_duplicates: ids of the other leads that may be the same person; null if there are none."""
    if possible.is_empty():
        return kept.with_columns(possible_duplicates=pl.lit(None, pl.List(pl.String)))
    both = pl.concat([possible, possible.select(one="other", other="one")]).unique()
    named = kept.join(banned, on="group", how="anti").select(other="group", other_id="lead_id")
    listed = both.join(named, on="other", how="inner").group_by("one").agg(possible_duplicates=pl.col("other_id").sort())
    return kept.join(listed, left_on="group", right_on="one", how="left", maintain_order="left")


def smallest_of_component(links: pl.DataFrame) -> pl.DataFrame:
    """Links by_id, by_key (numbers) → each by_id, and the smallest one it is connected to, itself included.

    Few rows are linked, so importing a library of graphs (scipy: 0.25 s in each process) would cost more than the rest of a small campaign.
    """
    parent: dict[int, int] = {}

    def root(number: int) -> int:
        while (above := parent[number]) != number:
            parent[number] = number = parent[above]
        return number

    first_of_key: dict[int, int] = {}
    for by_id, by_key in links.iter_rows():
        parent.setdefault(by_id, by_id)
        one, other = root(by_id), root(first_of_key.setdefault(by_key, by_id))
        parent[max(one, other)] = min(one, other)
    ids = sorted(parent)
    return pl.DataFrame({"by_id": ids, "smallest": [root(number) for number in ids]}, schema={"by_id": pl.Int64, "smallest": pl.Int64})


def _banned(rows: pl.DataFrame, suppressions: pl.DataFrame | None, hashed: Callable[[str], str]) -> pl.DataFrame:
    """Columns group, reason, suppressed_at for leads that must not be processed: the earliest suppression that matches any of a lead's rows."""
    schema = {"group": rows.schema["group"], "reason": pl.String(), "suppressed_at": SuppressedLead.polars_schema()["suppressed_at"]}
    if suppressions is None or suppressions.is_empty():
        return pl.DataFrame(schema=schema)
    kinds = set(suppressions["kind"].unique().to_list())
    values: list[pl.DataFrame] = []
    emails = rows["email_normalized"]
    hosts = email_domains(emails)
    if "email" in kinds:
        values.extend(_hashed(rows, "email", series, hashed) for series in (emails, mailbox_keys(emails)))
    if "domain" in kinds:
        domains = company_domains(rows["website"], emails, email_kinds(hosts))
        values.extend(_hashed(rows, "domain", series, hashed) for series in (hosts, registrable_domains(hosts), domains))
    if "phone" in kinds:
        values.extend(_hashed(rows, "phone", series, hashed) for series in _phones(rows, hosts))
    if not values:
        return pl.DataFrame(schema=schema)
    return (
        pl.concat(values)
        .join(suppressions, on=["kind", "value_hash"], how="inner")
        .sort("suppressed_at", pl.col("kind").replace_strict({"email": 0, "phone": 1}, default=2), "reason")
        .unique("group", keep="first", maintain_order=True)
        .select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    )


def _phones(rows: pl.DataFrame, hosts: pl.Series) -> list[pl.Series]:
    """The numbers in E.164; and for numbers of an unknown country, their national digits."""
    kinds = email_kinds(hosts)
    known = rows.with_columns(email_kind=kinds, company_domain=company_domains(rows["website"], rows["email_normalized"], kinds))
    numbers = normalise_phones(rows["phone"], locate(known)["country_code"])["phone_e164"]
    unplaced = rows["phone"].set(numbers.is_not_null(), None)
    return [numbers, NATIONAL + map_distinct(unplaced, phone_key)]


def _hashed(rows: pl.DataFrame, kind: str, values: pl.Series, hashed: Callable[[str], str]) -> pl.DataFrame:
    hashes = map_distinct(values, lambda value: hashed(value))
    return (
        pl.DataFrame({"group": rows["group"], "value_hash": hashes}).select("group", pl.lit(kind).alias("kind"), "value_hash").drop_nulls()
    )


def _duplicates(rows: pl.DataFrame, kept: pl.DataFrame, banned: pl.DataFrame) -> pl.DataFrame:
    if kept.height == rows.height:
        return Duplicate.empty()
    own_ids = rows.select("row", kept_id="lead_id")
    survivor = kept.join(own_ids, on="row", how="left", maintain_order="left").select(
        "group",
        "kept_id",
        duplicate_of="lead_id",
        kept_drop_sha256="drop_sha256",
        kept_position="position",
        kept_part="part",
        kept_row="row",
    )
    return (
        rows.join(survivor, on="group", how="inner", maintain_order="left")
        .filter(pl.col("row") != pl.col("kept_row"))
        .with_columns(
            matched_on=pl.when(pl.col("lead_id") == pl.col("kept_id")).then(pl.lit("lead_id")).otherwise(pl.lit("person")),
            # People who asked to be forgotten are named by id only, in older payloads, too.
            payload=pl.when(pl.col("group").is_in(banned["group"].implode())).then(pl.lit("{}")).otherwise("payload"),
        )
        .select(Duplicate.polars_schema().names())
    )


def _leads(kept: pl.DataFrame) -> pl.DataFrame:
    """The normalised columns."""
    where, who, what = at_once(kept.height, lambda: _where(kept), lambda: name_parts(*(kept[name] for name in _NAMES)), lambda: _what(kept))
    leads = kept.with_columns(*where, *who, *what)
    nobodys = of_many_companies(leads)
    leads = leads.with_columns(
        company_domain=leads["company_domain"].set(nobodys, None), shared_domain=leads["company_domain"].set(~nobodys, None)
    )
    return conform(leads.with_columns(account_key=_account_keys(leads)), Lead.polars_schema())


def _where(kept: pl.DataFrame) -> pl.DataFrame:
    """The company's domain, the places, and the phone as it is read there."""
    kinds = email_kinds(email_domains(kept["email_normalized"]))
    domains = company_domains(kept["website"], kept["email_normalized"], kinds)
    domains = pl.select(pl.coalesce(domains, kept["known_domain"])).to_series()
    known = kept.with_columns(kinds.alias("email_kind"), domains.alias("company_domain"))
    places = locate(known)
    return places.with_columns(
        known["email_kind"], known["company_domain"], normalise_phones(kept["phone"], places["country_code"])["phone_e164"]
    )


def _what(kept: pl.DataFrame) -> pl.DataFrame:
    return title_roles(kept["title"]).select("seniority", "department", clean_companies(kept["company"]).alias("company_clean"))


def _account_keys(leads: pl.DataFrame) -> pl.Series:
    """The company domain, else "person:" and 16 hex digits of the hash of the first of: e-mail, phone, LinkedIn profile, campaign and lead id."""
    person = leads.select(
        pl.when(pl.col("company_domain").is_null()).then(
            pl.coalesce(
                "email_normalized",
                "phone_e164",
                pl.col("linkedin_url").str.to_lowercase().str.strip_chars("/ "),
                pl.concat_str("campaign_id", "lead_id", separator="\x1f"),
            )
        )
    ).to_series()
    hashed = map_distinct(person, lambda identity: "person:" + value_hash(identity)[:16])
    return pl.select(pl.coalesce(leads["company_domain"], hashed)).to_series()

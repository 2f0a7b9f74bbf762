"""What leads say of people and companies, in the form in which two of them are compared; by which keys they are found, and what agreement means.

Belongs here: columns, keys and levels. Does not belong here: what a level is worth (rules/identity.yaml), or which pairs are one (see `standing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import polars as pl

from lead_assets.core.columns import fold, map_distinct
from lead_assets.core.emails import mailbox_keys, shared_mailboxes
from lead_assets.identity.known_names import given_forms, is_known_given_name, no_companies
from lead_assets.identity.rules import IdentityRules
from lead_assets.ledger.identities import EntityKind

_PROFILE = r"(?i)linkedin\.[a-z.]+/(?:in|pub)/([^/?#\s]+)"
_USER = 6
"""Letters from which a mailbox's user name says something at another provider."""
_START = 4


class Level(NamedTuple):
    """How far two values agree: in words, and as SQL over both rows' columns (DuckDB)."""

    label: str
    sql: str


class Compared(NamedTuple):
    """One thing that is compared: the column that says whether it is known, and its levels from equal on, without "different"; one value in `bits` more."""

    name: str
    column: str
    levels: Sequence[Level]
    different: str
    bits: Sequence[float]


class RecordKind(NamedTuple):
    """People or accounts: columns of a record, what is compared, and the keys by which two records are found (columns of each key)."""

    name: EntityKind
    columns: Sequence[str]
    compared: Sequence[Compared]
    keys: Mapping[str, Sequence[pl.Expr]]
    prior: float
    accept: float
    largest: int
    neighbours: int

    @property
    def near(self) -> float:
        """Pairs from here on are kept: several of them may say together what one does not."""
        return self.accept - NEAR


NEAR = 4.0

LEAD_COLUMNS = (
    *("campaign_id", "lead_id", "received_at", "email_normalized", "email_kind", "phone_e164", "linkedin_url", "name_first", "name_last"),
    *("company_domain", "company_clean", "postal_code", "city", "country_code", "outcome", "account_key"),
)
"""What is read of identity.leads."""

PERSON_COLUMNS = (
    *("mailbox", "user", "office", "spells", "phone", "profile", "given", "forms", "unlisted", "family"),
    *("domain", "company", "firm", "postcode", "city", "country", "place"),
)
ACCOUNT_COLUMNS = ("name", "label", "phone", "postcode", "city", "country", "place")


def member_keys(leads: pl.DataFrame) -> pl.Series:
    """ "campaign/lead": a campaign's key has no slash."""
    return leads.select(pl.concat_str("campaign_id", pl.lit("/"), "lead_id").alias("member")).to_series()


def person_records(leads: pl.DataFrame) -> pl.DataFrame:
    """One row per lead (`LEAD_COLUMNS`): member, since (when it was received), and `PERSON_COLUMNS`, text or null."""
    email = leads["email_normalized"]
    email = email.set(shared_mailboxes(email).fill_null(False), None)
    names = pl.DataFrame({"given": _letters(leads["name_first"]), "family": _letters(leads["name_last"])})
    local = email.str.extract(r"^([^@+]+)", 1)
    user = local.str.replace_all(r"[^a-z0-9]", "")
    business = (leads["email_kind"] == "business").fill_null(False)
    given, family = pl.col("given"), pl.col("family")
    spelt = [
        given,
        family,
        given + family,
        family + given,
        given.str.head(1) + family,
        family + given.str.head(1),
        given + family.str.head(1),
    ]
    frame = leads.select(
        member_keys(leads),
        since=pl.col("received_at"),
        phone=pl.col("phone_e164"),
        domain=pl.col("company_domain"),
        postcode=pl.col("postal_code").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "").replace("", None),
        country=pl.col("country_code"),
    ).with_columns(
        *names,
        mailbox_keys(email).alias("mailbox"),
        user.set((user.str.len_chars() < _USER).fill_null(False), None).alias("user"),
        email.str.extract(r"@([^@]+)$", 1).set(~business, None).alias("office"),
        fold(leads["linkedin_url"].str.extract(_PROFILE, 1)).replace("", None).alias("profile"),
        map_distinct(names["given"], given_forms).alias("forms"),
        map_distinct(names["given"], lambda name: None if is_known_given_name(name) else "y").alias("unlisted"),
        _letters(leads["company_clean"]).alias("company"),
        fold(leads["city"]).replace("", None).alias("city"),
        letters=user,
    )
    return frame.with_columns(
        spells=pl.when(pl.any_horizontal(pl.col("letters") == each for each in spelt)).then(pl.lit("y")),
        # A user name that only spells the name says nothing more at another provider.
        user=pl.when(~pl.any_horizontal(pl.col("letters") == each for each in spelt).fill_null(False)).then("user"),
        firm=pl.coalesce("domain", "company"),
        place=pl.coalesce("country", "city", "postcode"),
    ).select("member", "since", *PERSON_COLUMNS)


def account_members(leads: pl.DataFrame) -> pl.Series:
    """The company that each lead belongs to: its domain; otherwise "name:", the company's name and the country; null if it names none."""
    name = _letters(leads["company_clean"])
    listed = pl.concat_str(pl.lit("name:"), pl.lit(name), pl.lit("/"), pl.col("country_code").fill_null(""))
    usable = pl.lit(name.str.len_chars() > 2) & ~pl.lit(name).is_in(sorted(no_companies()))
    return leads.select(pl.coalesce("company_domain", pl.when(usable).then(listed)).alias("member")).to_series()


def account_records(leads: pl.DataFrame, members: pl.Series | None = None) -> pl.DataFrame:
    """One row per company that leads belong to (`members`: `account_members`): member, since (its first lead), and `ACCOUNT_COLUMNS`: what most of its leads
    say."""
    named = leads.select(
        (account_members(leads) if members is None else members).alias("member"),
        since=pl.col("received_at"),
        name=fold(leads["company_clean"]).replace("", None),
        phone=pl.col("phone_e164"),
        postcode=pl.col("postal_code").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "").replace("", None),
        city=fold(leads["city"]).replace("", None),
        country=pl.col("country_code"),
    ).drop_nulls("member")
    records = named.group_by("member").agg(pl.col("since").min()).sort("member")
    for column in ("name", "phone", "postcode", "city", "country"):
        counted = named.select("member", column).drop_nulls().group_by("member", column).len()
        most = counted.sort("member", -pl.col("len").cast(pl.Int64), column).unique("member", keep="first")
        records = records.join(most.drop("len"), on="member", how="left")
    own = pl.col("member").str.starts_with("name:")
    label = pl.col("member").str.extract(r"^([^.]+)", 1).str.replace_all("-", "")
    return records.with_columns(
        label=pl.when(own).then(pl.col("name").str.replace_all(" ", "")).otherwise(label),
        place=pl.coalesce("country", "city", "postcode"),
    ).select("member", "since", *ACCOUNT_COLUMNS)


def _letters(text: pl.Series) -> pl.Series:
    return fold(text).str.replace_all(" ", "").replace("", None)


def _both(sql: str, *columns: str) -> str:
    """SQL with {0}, {1} … for the left and {0r}, {1r} … for the right row's column."""
    names = {str(at): f'"{column}_l"' for at, column in enumerate(columns)} | {
        f"{at}r": f'"{column}_r"' for at, column in enumerate(columns)
    }
    for name, column in names.items():
        sql = sql.replace(f"{{{name}}}", column)
    return sql


def _equal(column: str, label: str) -> Level:
    return Level(label, _both("{0} = {0r}", column))


def _slip(column: str, label: str, *, alike: float = 0.8, longer: int = 4, also: str = "true") -> Level:
    """One letter more, less, other or exchanged. DuckDB counts such edits slowly, and only CASE spares it the rest."""
    sql = (
        "(CASE WHEN least(length({0}), length({0r})) > "
        + str(longer)
        + " AND jaro_winkler_similarity({0}, {0r}) >= "
        + str(alike)
        + " AND "
        "levenshtein({0}, {0r}) <= 2 AND " + also + " THEN damerau_levenshtein({0}, {0r}) <= 1 ELSE false END)"
    )
    return Level(label, _both(sql, column))


_NUMBERS = r"regexp_replace({0}, '[^0-9]', '', 'g') = regexp_replace({0r}, '[^0-9]', '', 'g')"
_COUNTRY = "coalesce({2} = {2r}, true)"
_PLACE = (
    Level("same postcode", _both("{0} = {0r} AND " + _COUNTRY, "postcode", "city", "country")),
    Level("same city", _both("{1} = {1r} AND " + _COUNTRY, "postcode", "city", "country")),
    Level(
        "no other country",
        _both(_COUNTRY + " AND ({0} IS NULL OR {0r} IS NULL) AND ({1} IS NULL OR {1r} IS NULL)", "postcode", "city", "country"),
    ),
    Level("another city or postcode", _both(_COUNTRY, "postcode", "city", "country")),
)


def person_kind(rules: IdentityRules) -> RecordKind:
    bits = rules.people.bits
    exchanged = _both("{0} = {1r} OR {1} = {0r}", "given", "family")
    compared = (
        Compared(
            "email",
            "mailbox",
            (
                _equal("mailbox", "same mailbox"),
                _slip("mailbox", "one letter off", alike=0.9, longer=8, also=_NUMBERS),
                Level("two mailboxes of one company", _both("{0} = {0r} AND NOT coalesce({1} = {1r}, false)", "office", "spells")),
                _equal("user", "same user name elsewhere"),
            ),
            "another mailbox",
            bits.email,
        ),
        Compared("phone", "phone", (_equal("phone", "same number"), _slip("phone", "one digit off")), "another number", bits.phone),
        Compared("profile", "profile", (_equal("profile", "same profile"),), "another profile", bits.profile),
        Compared(
            "given",
            "given",
            (
                _equal("given", "same given name"),
                Level(
                    "a short form or a slip",
                    _both(
                        "list_has_any(string_split({1}, ' '), string_split({1r}, ' ')) OR "
                        "(jaro_winkler_similarity({0}, {0r}) >= 0.9 AND ({2} = 'y' OR {2r} = 'y'))",
                        *("given", "forms", "unlisted"),
                    ),
                ),
                Level("an initial", _both("least(length({0}), length({0r})) = 1 AND {0}[1] = {0r}[1]", "given")),
                Level("given and family name exchanged", exchanged),
            ),
            "another given name",
            bits.given,
        ),
        Compared(
            "family",
            "family",
            (
                _equal("family", "same family name"),
                _slip("family", "one letter off", longer=3),
                Level("alike", _both("jaro_winkler_similarity({0}, {0r}) >= 0.9", "family")),
                Level("given and family name exchanged", exchanged),
            ),
            "another family name",
            bits.family,
        ),
        Compared(
            "company",
            "firm",
            (
                Level("same company", _both("{0} = {0r} OR {1} = {1r}", "domain", "company")),
                Level(
                    "company alike",
                    _both("jaro_winkler_similarity({0}, {0r}) >= 0.9 OR starts_with({0}, {0r}) OR starts_with({0r}, {0})", "company"),
                ),
            ),
            "another company",
            bits.company,
        ),
        Compared("place", "place", _PLACE, "another country", bits.place),
    )
    start = [pl.col("family").str.head(_START), pl.col("given").str.head(1)]
    given = [pl.col("given"), pl.col("family").str.head(1)]
    keys: dict[str, Sequence[pl.Expr]] = {name: [pl.col(name)] for name in ("mailbox", "phone", "profile", "user")}
    keys |= {
        "names": [pl.min_horizontal("given", "family"), pl.max_horizontal("given", "family")],
        "name and domain": [*start, pl.col("domain")],
        "name and company": [*start, pl.col("company")],
        "name and postcode": [*start, pl.col("postcode")],
        "given name and domain": [*given, pl.col("domain")],
    }
    people = rules.people
    return RecordKind("person", PERSON_COLUMNS, compared, keys, people.prior, people.accept, rules.blocks.largest, rules.blocks.neighbours)


def account_kind(rules: IdentityRules) -> RecordKind:
    bits = rules.accounts.bits
    begins = "(least(length({0}), length({0r})) >= 4 AND (starts_with({0}, {0r}) OR starts_with({0r}, {0})))"
    compared = (
        Compared(
            "name",
            "name",
            (
                Level("same name", _both("replace({0}, ' ', '') = replace({0r}, ' ', '')", "name")),
                _slip("name", "one letter off", longer=6),
                Level("one begins the other", _both(begins, "name")),
                Level("a word in common", _both("list_has_any(string_split({0}, ' '), string_split({0r}, ' '))", "name")),
            ),
            "another name",
            bits.name,
        ),
        Compared(
            "domain",
            "label",
            (_equal("label", "same domain but for its ending"), Level("one begins the other", _both(begins, "label"))),
            "another domain",
            bits.domain,
        ),
        Compared("phone", "phone", (_equal("phone", "same number"),), "another number", bits.phone),
        Compared("place", "place", _PLACE, "another country", bits.place),
    )
    word = pl.col("name").str.extract(r"^(\S+)", 1)
    keys: dict[str, Sequence[pl.Expr]] = {
        "name": [pl.col("name").str.replace_all(" ", "")],
        "domain": [pl.col("label")],
        "domain's start": [pl.col("label").str.head(_USER)],
        "phone": [pl.col("phone")],
        "word and postcode": [word, pl.col("postcode")],
        "word and city": [word, pl.col("city")],
    }
    accounts = rules.accounts
    return RecordKind(
        "account", ACCOUNT_COLUMNS, compared, keys, accounts.prior, accounts.accept, rules.blocks.largest, rules.blocks.neighbours
    )

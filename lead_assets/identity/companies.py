"""The domain that identifies a company, by tldextract with its bundled list (no network); each distinct host is parsed once.

Does not belong here: a company's name (see `company_names`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.core.columns import map_distinct
from lead_assets.core.emails import ascii_host, email_domains, email_kind

# Google's search and maps live under every country's suffix.
_OTHERS_SITE_NAMES = re.compile(r"^(?:google|facebook|linkedin|pinterest|blogspot|yelp|tripadvisor|ebay|airbnb|glassdoor|indeed)\.[a-z.]+$")

_PLAIN_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_MAX_HOST = 253
_MANY_COMPANIES = 5
_NO_ONES_SHARE = 1 / 3
_SAME_BEGINNING = 6
"""Letters: names that begin alike are counted as one company's."""


def company_domains(websites: pl.Series, emails_normalized: pl.Series, email_kind: pl.Series) -> pl.Series:
    """Registrable domain (ASCII) of the company: from the website, unless it belongs to a social network or mailbox provider; otherwise from a business e-mail.

    An e-mail address in the website field counts as its domain. Under a hosting company's suffix (acme.github.io) the customer's name is the domain.
    """
    from_website = map_distinct(_hosts(websites), _company_of_host)
    from_email = map_distinct(email_domains(emails_normalized.set((email_kind != "business").fill_null(True), None)), _registrable)
    return pl.select(pl.coalesce(from_website, from_email)).to_series()


def registrable_domains(hosts: pl.Series) -> pl.Series:
    """Registrable domain (ASCII) of each host name; null if it has none."""
    return map_distinct(hosts, _registrable)


def of_many_companies(leads: pl.DataFrame) -> pl.Series:
    """Whether a lead's domain is nobody's company, as that of a mailbox provider that no list knows: the campaign's leads that have it name many companies.

    Takes campaign_id, company_domain and company_clean. Five other names that do not begin as the domain does, and none that a third of the leads have: a
    company's own leads mostly write its name, or its parts ("Siemens Energy" at siemens.com).
    """
    named_at_all = leads.select("campaign_id", "company_domain").drop_nulls()
    if named_at_all.height < _MANY_COMPANIES or named_at_all.group_by(pl.all()).len()["len"].max() < _MANY_COMPANIES:  # type: ignore[operator]
        return pl.Series("many", [False], pl.Boolean).new_from_index(0, leads.height)
    letters = pl.col("company_clean").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")
    label = pl.col("company_domain").str.extract(r"^([^.]+)", 1).str.replace_all("-", "")
    own = letters.str.starts_with(label) | ((letters.str.len_chars() > 2) & label.str.starts_with(letters.str.slice(0, _SAME_BEGINNING)))
    named = (
        leads.lazy()
        .select("campaign_id", "company_domain", name=letters.str.slice(0, _SAME_BEGINNING), own=own)
        .drop_nulls()
        .filter(pl.col("name") != "")
    )
    counted = (
        named.group_by("campaign_id", "company_domain", "name")
        .agg(pl.len(), own=pl.col("own").any())
        .group_by("campaign_id", "company_domain")
        .agg(foreign=(~pl.col("own")).sum(), own=pl.col("own").any(), most=pl.col("len").max() / pl.col("len").sum())
        .filter((pl.col("foreign") >= _MANY_COMPANIES) & ~pl.col("own") & (pl.col("most") <= _NO_ONES_SHARE))
        .select("campaign_id", "company_domain", many=pl.lit(True))
    )
    return (
        leads.lazy()
        .select("campaign_id", "company_domain")
        .join(counted, on=["campaign_id", "company_domain"], how="left", maintain_order="left")
        .select(pl.col("many").fill_null(False))
        .collect()
        .to_series()
    )


def _hosts(websites: pl.Series) -> pl.Series:
    """The host of a website in any spelling: without scheme, path, port, user and white space; null if it has no dot."""
    if websites.null_count() == websites.len():
        return websites.cast(pl.String)
    return websites.to_frame().select(_HOST).select(pl.when(pl.first().str.contains(r"[.。]")).then(pl.first())).to_series()


_HOST = (
    pl.first()
    .str.to_lowercase()
    .str.strip_chars()
    .str.replace_all("\\", "/", literal=True)
    .str.replace(r"^(?:(?:h?t?tps?|https?|ftp)?:?/+\s*)+", "")
    .str.replace(r"^mailto:", "")
    .str.extract(r"^([^/?#\s,;|()<>]+)", 1)
    .str.replace(r"^.*@", "")
    .str.replace(r":\d*$", "")
    .str.strip_chars(".")
)


def _company_of_host(host: str) -> str | None:
    domain = _registrable(host)
    if domain is None or host in _shared_sites() or domain in _shared_sites() or _OTHERS_SITE_NAMES.match(domain):
        return None
    return domain if email_kind(host) == "business" else None


@lru_cache(100_000)
def _registrable(host: str) -> str | None:
    name: str | None = host
    if len(host) > _MAX_HOST:
        return None
    if not _PLAIN_HOST.fullmatch(host) or "--" in host or host.endswith((".arpa", ".invalid", ".local", ".localhost", ".onion", ".test")):
        name = ascii_host(host)
    if name is None:
        return None
    parts = _extract()(name)
    if parts.top_domain_under_public_suffix:
        return str(parts.top_domain_under_public_suffix)
    labels = name.split(".")
    if not parts.suffix:
        # A suffix the list does not know (.example, a company's own): by the list's default rule the last label is one.
        return ".".join(labels[-2:]) if len(labels) > 1 else None
    # A hosting company's own suffix (github.io) is that company's domain; a registry's (co.uk) is not a company's.
    return name if parts.is_private else None


@cache
def _shared_sites() -> frozenset[str]:
    lines = Path(__file__).with_name("shared_sites.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(domain for line in lines if not line.startswith("#") for domain in line.split())


@cache
def _extract() -> Any:
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)

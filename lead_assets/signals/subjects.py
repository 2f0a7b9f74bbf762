"""The subject of a signal: the column of a lead that names its company or person, in one canonical spelling.

Belongs here: turning a lead's columns into a subject. Does not belong here: normalising e-mails and domains, which the identity room does.
"""

from __future__ import annotations

import polars as pl

from lead_assets.vendors.offer import SubjectKind

# linkedin.com/in/<slug> under any country's host, with or without scheme, query, locale suffix; /pub/ and /sales/ pages are not profiles.
_PROFILE = r"(?i)^\s*(?:https?://)?(?:[a-z]{2,3}\.)?linkedin\.com/in/([^/?#\s]+)"


def subject(kind: SubjectKind) -> pl.Expr:
    """The subject of a lead, as an expression over the columns of identity.leads: text, or null if the lead has none.

    Leads for the same company or person have the same subject, because each subject is paid for once.
    """
    if kind == "company_domain":
        return _blank_to_null(pl.col("company_domain").str.to_lowercase())
    if kind == "email":
        return _blank_to_null(pl.col("email_normalized"))
    if kind == "contact":
        return _contact()
    slug = pl.col("linkedin_url").str.extract(_PROFILE).str.to_lowercase()
    return pl.when(slug.is_not_null()).then(pl.format("https://www.linkedin.com/in/{}", slug))


def _contact() -> pl.Expr:
    """Address, name, company and profile in one text: leads that differ in any of these are asked about separately, but share equal answers."""
    email, domain, profile = subject("email"), subject("company_domain"), subject("person_profile")
    first, last = (_blank_to_null(pl.col(name).str.to_lowercase()) for name in ("name_first", "name_last"))
    parts = [email, pl.when(last.is_not_null()).then(first), last, domain, profile]
    reachable = email.is_not_null() | profile.is_not_null() | (domain.is_not_null() & first.is_not_null() & last.is_not_null())
    return pl.when(reachable).then(pl.concat_str(parts, separator=" ", ignore_nulls=True))


def _blank_to_null(column: pl.Expr) -> pl.Expr:
    stripped = column.str.strip_chars()
    return pl.when(stripped != "").then(stripped)

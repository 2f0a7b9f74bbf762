"""Leads with nothing but a place, and what `locate` makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from lead_assets.core.emails import email_domains, email_kinds, normalise_emails
from lead_assets.identity.companies import company_domains
from lead_assets.identity.places import locate

_GIVEN = ("country", "state", "city", "postal_code", "phone", "email", "website")


def located(leads: Sequence[Mapping[str, str | None]]) -> pl.DataFrame:
    """`locate` of leads that are given by some of country, state, city, postal_code, phone, email and website; an empty text is as good as none."""
    return locate(prepared(leads))


def prepared(leads: Sequence[Mapping[str, str | None]]) -> pl.DataFrame:
    """The same leads with the columns that `locate` takes."""
    frame = pl.DataFrame([{field: lead.get(field) or None for field in _GIVEN} for lead in leads], schema=dict.fromkeys(_GIVEN, pl.String))
    emails = normalise_emails(frame["email"])["email_normalized"]
    kinds = email_kinds(email_domains(emails))
    domains = company_domains(frame["website"], emails, kinds)
    return frame.with_columns(emails, kinds.alias("email_kind"), domains.alias("company_domain"))

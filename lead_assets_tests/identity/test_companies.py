"""The domain that identifies a company."""

from __future__ import annotations

import polars as pl
import pytest

from lead_assets.identity.companies import company_domains, registrable_domains
from lead_assets.identity.resolve import resolve
from lead_assets_tests.identity.test_resolve import raw

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


def test_no_rows() -> None:
    nothing = pl.Series([], dtype=pl.String)
    assert company_domains(nothing, nothing, nothing).dtype == pl.String


def _domain(website: str | None, email: str | None, kind: str | None) -> str | None:
    text = pl.String
    domain: str | None = company_domains(
        pl.Series([website], dtype=text), pl.Series([email], dtype=text), pl.Series([kind], dtype=text)
    ).item()
    return domain


def _leads_at(domain: str, *companies: str) -> pl.DataFrame:
    return resolve(raw(*({"email": f"p{number}@{domain}", "company": name} for number, name in enumerate(companies)))).leads


def test_a_company_whose_leads_name_many_companies_is_a_provider_and_its_leads_share_no_account() -> None:
    leads = _leads_at("nettmail.example", "Acme", "Bolt GmbH", "Carla's Bakery", "Dune Ltd", "Ewing Oil", "Acme Inc")
    assert leads["company_domain"].null_count() == leads.height
    assert leads["shared_domain"].unique().to_list() == ["nettmail.example"]
    assert leads["account_key"].n_unique() == leads.height


@pytest.mark.parametrize(
    ("domain", "companies"),
    [
        ("acme.example", ("Acme", "Bolt", "Carla", "Dune", "Ewing", "Fox")),
        ("siemens.example", ("Siemens AG", "Siemens Energy", "Siemens Mobility", "Healthineers", "Gamesa", "Flender")),
        ("pg.example", ("Procter & Gamble",) * 4 + ("Gillette", "Braun", "Oral-B", "Pampers", "Ariel")),
        ("small.example", ("Acme", "Bolt", "Carla", "Dune")),
    ],
)
def test_a_company_with_brands_and_slips_stays_one(domain: str, companies: tuple[str, ...]) -> None:
    leads = _leads_at(domain, *companies)
    assert leads["company_domain"].unique().to_list() == [domain]
    assert leads["shared_domain"].null_count() == leads.height


def test_each_campaign_is_judged_alone() -> None:
    rows = [{"email": f"p{n}@nettmail.example", "company": name, "campaign_id": f"c{n % 2}"} for n, name in enumerate("ABCDEF")]
    assert resolve(raw(*rows)).leads["shared_domain"].null_count() == len(rows)

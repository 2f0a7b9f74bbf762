"""What the ending of a domain says of a country."""

from __future__ import annotations

import pytest

from lead_assets.core.places.endings import country_of_domain


@pytest.mark.parametrize(
    ("domain", "country"),
    [
        ("firma.de", "DE"), ("FIRMA.DE", "DE"), ("firma.de.", "DE"), ("shop.co.uk", "GB"), ("acme.uk", "GB"), ("loja.com.br", "BR"), ("mill.co.in", "IN"),
        ("tienda.com.co", "CO"), ("agency.gov", "US"), ("xn--e1afmkfd.xn--p1ai", "RU"), ("gmx.de", "DE"),
        ("shop.co", None), ("startup.io", None), ("model.ai", None), ("about.me", None), ("clip.tv", None), ("doctor.md", None), ("example.com", None),
        ("example.eu", None), ("protonmail.ch", None), ("de", None), ("", None), ("kingdom.zz", None),
    ],
)  # fmt: skip
def test_the_ending_of_a_domain(domain: str, country: str | None) -> None:
    assert country_of_domain(domain) == country

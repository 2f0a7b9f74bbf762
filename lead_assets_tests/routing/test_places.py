"""Where a lead is when its own fields leave that open, and what the reason of a decision says about it."""

from __future__ import annotations

import polars as pl
import pytest

from lead_assets.contracts import Classification, EnrichedLead, Lead, Score
from lead_assets.routing.matching import routing_frame
from lead_assets_tests.identity.places import located
from lead_assets_tests.routing.frames import NOON, chosen, routable, table

TABLE = table("""
regions:
  DACH: [DE, AT, CH]
  West: [US-CA, US-WA]
  Bavaria: [DE-BY]
owners:
  - {id: nina, name: Nina}
  - {id: rosa, name: Rosa}
  - {id: desk, name: Desk}
territories:
  - {name: bavaria, owner: rosa, when: {region: Bavaria}}
  - {name: dach, owner: nina, when: {region: DACH}}
  - {name: west, owner: rosa, when: {region: West}}
  - {name: france, owner: nina, when: {country_code: FR}}
fallback_owner: desk
""")


def framed(lead: dict[str, object], office: dict[str, object], profile: str = "b2b") -> pl.DataFrame:
    """The frame to route: a lead whose company's head office is known, through the tables that hold both."""
    ids = {"campaign_id": "fall", "lead_id": "lead-1"}
    leads = Lead.frame([ids | {"received_at": NOON, "account_key": "x.example", "position": 1} | lead])
    enriched = EnrichedLead.frame([ids | office])
    classified, scored = Classification.frame([ids | {"profile": profile}]), Score.frame([ids | {"tier": "warm", "score": 50.0}])
    return routing_frame(leads, enriched, classified, scored, TABLE)


def _place(frame: pl.DataFrame) -> tuple[str, str]:
    (row,) = chosen(frame, TABLE)
    return row["territory"], row["reason"]


def routed(lead: dict[str, object], office: dict[str, object], profile: str = "b2b") -> tuple[str, str]:
    """Its territory and the reason."""
    return _place(framed(lead, office, profile))


@pytest.mark.parametrize(
    ("lead", "territory", "reason"),
    [
        ({"country_code": "AT", "country_source": "country"}, "dach", "country AT is in DACH"),
        ({"country_code": "AT", "country_source": "city"}, "dach", "country AT (by the city) is in DACH"),
        ({"country_code": "CH", "country_source": "phone"}, "dach", "country CH (by the phone) is in DACH"),
        ({"country_code": "FR", "country_source": "domain"}, "france", "country FR (by the domain)"),
        ({"country_code": "US", "state_code": "CA", "state_source": "state"}, "west", "state US-CA is in West"),
        ({"country_code": "US", "state_code": "CA", "state_source": "city"}, "west", "state US-CA (by the city) is in West"),
        ({"country_code": "DE", "region": "DE-BY", "state_source": "state"}, "bavaria", "state DE-BY is in Bavaria"),
        ({"region": "DE-BY"}, "bavaria", "state DE-BY is in Bavaria"),
    ],
)
def test_a_reason_repeats_what_says_the_place(lead: dict[str, object], territory: str, reason: str) -> None:
    assert _place(routable(lead)) == (territory, reason)


AUSTRIA: dict[str, object] = {"hq_country_code": "AT", "hq_region": "AT-9"}
CALIFORNIA: dict[str, object] = {"hq_country_code": "US", "hq_region": "US-CA"}


@pytest.mark.parametrize(
    ("lead", "office", "territory", "reason"),
    [
        ({}, AUSTRIA, "dach", "country AT (by the head office) is in DACH"),
        ({}, CALIFORNIA, "west", "state US-CA (by the head office) is in West"),
        # A number and a domain say less than the head office, the lead's own words more.
        ({"country_code": "FR", "country_source": "phone"}, AUSTRIA, "dach", "country AT (by the head office) is in DACH"),
        ({"country_code": "FR", "country_source": "domain"}, AUSTRIA, "dach", "country AT (by the head office) is in DACH"),
        ({"country_code": "FR", "country_source": "city"}, AUSTRIA, "france", "country FR (by the city)"),
        ({"country_code": "FR", "country_source": "country"}, AUSTRIA, "france", "country FR"),
        # The state of a lead that says only its country.
        ({"country_code": "US", "country_source": "country"}, CALIFORNIA, "west", "state US-CA (by the head office) is in West"),
        ({"country_code": "US", "state_code": "TX", "region": "US-TX"}, CALIFORNIA, "fallback", "no territory takes this lead (country US)"),
        ({"country_code": "US", "state_code": "TX"}, CALIFORNIA, "fallback", "no territory takes this lead (country US)"),
        ({"country_code": "DE", "region": "DE-BY"}, {"hq_country_code": "DE", "hq_region": "DE-BE"}, "bavaria", "state DE-BY is in Bavaria"),
        # A head office abroad says nothing of the state at home.
        ({"country_code": "FR", "country_source": "country"}, CALIFORNIA, "france", "country FR"),
        ({"country_code": "DE", "country_source": "phone"}, {}, "dach", "country DE (by the phone) is in DACH"),
    ],
)  # fmt: skip
def test_the_head_office_says_what_the_lead_leaves_open(
    lead: dict[str, object], office: dict[str, object], territory: str, reason: str
) -> None:
    assert routed(lead, office) == (territory, reason)


@pytest.mark.parametrize(
    ("office", "state"),
    [(CALIFORNIA, "CA"), ({"hq_country_code": "CA", "hq_region": "CA-ON"}, "ON"), ({"hq_country_code": "US"}, None), (AUSTRIA, None)],
)
def test_a_head_office_in_the_us_or_canada_has_a_state_to_route_by(office: dict[str, object], state: str | None) -> None:
    """What a lead's own phone said of the state goes with the country that it said."""
    by_phone: dict[str, object] = {"country_code": "FR", "country_source": "phone", "state_code": "XX", "state_source": "phone"}
    for lead in ({}, by_phone):
        source = "head_office" if "hq_region" in office else None
        assert framed(lead, office).select("state_code", "state_source").row(0) == (state, source)


def test_a_borrowers_head_office_is_not_where_the_property_stands() -> None:
    assert routed({}, CALIFORNIA, profile="lending") == ("fallback", "no territory takes this lead (country unknown)")


def test_a_head_office_that_the_sandbox_made_up_decides_nothing() -> None:
    assert routed({}, AUSTRIA | {"synthetic": True}) == ("fallback", "no territory takes this lead (country unknown)")
    american: dict[str, object] = {"country_code": "US", "country_source": "country"}
    assert routed(american, CALIFORNIA | {"synthetic": True}) == ("fallback", "no territory takes this lead (country US)")


def test_the_frame_has_no_other_columns_than_before() -> None:
    assert "hq_region" not in routing_frame(Lead.empty(), EnrichedLead.empty(), Classification.empty(), Score.empty(), TABLE).columns
    assert routable({}).schema["region"] == pl.String


@pytest.mark.parametrize("country", ["", "Germany / France", "DE/AT", "USA, Canada", "Europe", "EMEA", "North America"])
def test_no_country_two_or_a_continent_decide_nothing(country: str) -> None:
    place = located([{"country": country}]).row(0, named=True)
    lead = {name: place[name] for name in ("country_code", "country_source", "state_code", "state_source", "region")}
    assert _place(routable(lead)) == ("fallback", "no territory takes this lead (country unknown)")

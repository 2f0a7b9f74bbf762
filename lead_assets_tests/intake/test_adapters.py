"""Payload shapes: chosen by the payload's own keys, filled column by column, nothing dropped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lead_assets.contracts import LeadFields
from lead_assets.intake.adapters import ADAPTERS, FIELD_KEYS, Adapter, choose
from lead_assets.intake.json_payloads import lines
from lead_assets.intake.rows import DROP_SCHEMA, rows
from lead_assets.intake.text import Text
from lead_assets_tests.intake.samples import CAMPAIGN_API, CRM, INBOUND, LENDING, LIMIT, codes, lead, ndjson, read


@pytest.mark.parametrize(
    ("payload", "adapter"),
    [
        (LENDING, "lending_form"),
        ({key: LENDING[key] for key in ("lead_id", "first_name", "last_name", "email")}, "lending_form"),
        ({"email": "a@b.example", "property_state": "TX"}, "lending_form"),
        (INBOUND, "inbound_b2b"),
        ({"email": "a@b.example"}, "inbound_b2b"),
        ({"phone": "+1 415 555 0100"}, "inbound_b2b"),
        (CAMPAIGN_API, "campaign_api"),
        ({key: CAMPAIGN_API[key] for key in ("lead_id", "agent_id", "campaign_id", "name", "email")}, "campaign_api"),
        (CRM, "crm_row"),
        ({"customer_id": "c1", "email": "a@b.example"}, "crm_row"),
    ],
)
def test_the_payloads_keys_choose_the_shape(payload: dict[str, Any], adapter: str) -> None:
    assert lead(payload)["adapter"] == adapter


def test_a_lending_form_fills_its_columns() -> None:
    row = lead(LENDING)

    assert row["lead_id"] == "lf_1"
    assert row["submitted_at"] == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert (row["city"], row["state"], row["property_address"]) == ("Austin", "TX", "12 Cedar Lane")
    assert (row["loan_amount_requested"], row["purchase_price"], row["estimated_arv"]) == (450_000.0, 600_000.0, 1_200_000.0)
    assert (row["source_campaign"], row["extra"]) == ("lending-q4", "{}")
    assert json.loads(row["payload"]) == LENDING


def test_a_campaign_api_lead_fills_its_columns() -> None:
    row = lead(CAMPAIGN_API)

    assert (row["full_name"], row["company"], row["title"]) == ("Jo Park", "Harborworks", "VP Sales")
    assert row["submitted_at"] == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert row["source_campaign"] == "cmp_1"
    assert json.loads(row["extra"]) == {"agent_id": "ag_1", "campaign_name": "Q4 RevOps", "type": None}


def test_a_crm_row_fills_its_columns() -> None:
    row = lead(CRM)

    assert (row["lead_id"], row["full_name"], row["title"], row["notes"]) == ("4711", "Lena Vogt", "COO", "Runs operations.")
    assert (row["web_activity_score"], row["email_engagement_score"]) == (71.0, 38.5)


def test_unknown_fields_are_kept_and_never_dropped() -> None:
    odd = {"x": None, "nested": {"b": [1, {"c": "é"}], "a": 1.5}, "": "no name", "Email": "other@acme.example"}

    assert json.loads(lead(INBOUND | odd)["extra"]) == odd


def test_a_key_that_loses_its_column_to_another_is_kept() -> None:
    row = lead(INBOUND | {"name": "I. Berg"})
    assert (row["full_name"], json.loads(row["extra"])) == ("Ines Berg", {"name": "I. Berg"})

    row = lead(INBOUND | {"full_name": "", "name": "I. Berg"})
    assert row["full_name"] == "I. Berg"


def test_text_stays_as_written_without_the_space_around_it() -> None:
    row = lead(INBOUND | {"company": "\t ACME,  Inc. \u00a0", "title": "   "})

    assert (row["company"], row["title"]) == ("ACME,  Inc.", None)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("450000", 450_000), ("$450,000", 450_000), (" 1.2e6 ", 1_200_000), ("450k", 450_000), ("$1.2M", 1_200_000), ("2mm", 2_000_000),
        ("USD 75,000.50", 75_000.5), ("€ 1'000", 1000), ("85%", 85), ("-5", -5), (".5", 0.5), ("", None), ("  ", None), (None, None), (7, 7), (7.5, 7.5),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(written: Any, number: float | None) -> None:
    assert lead(LENDING | {"purchase_price": written})["purchase_price"] == number


@pytest.mark.parametrize("written", ["abc", "1,2", "1.2.3", "12 or 13", "1,00,000", "--5", "0x10", "k", "١٢٣x"])
def test_what_is_no_number_or_two_is_refused(written: str) -> None:
    assert codes(read(ndjson(LENDING | {"purchase_price": written}))) == [(1, "not_a_number", "purchase_price")]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-01T09:00:00Z", datetime(2026, 11, 1, 9, tzinfo=UTC)),
        ("2026-11-01T09:00:00", datetime(2026, 11, 1, 9, tzinfo=UTC)),
        ("2026-11-01 09:00", datetime(2026, 11, 1, 9, tzinfo=UTC)),
        ("2026-11-01T09:00:00.123456+05:30", datetime(2026, 11, 1, 3, 30, 0, 123456, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        (" 20261101T090000Z ", datetime(2026, 11, 1, 9, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_times_are_iso_8601_and_utc_where_no_zone_is_given(written: Any, moment: datetime | None) -> None:
    assert lead(LENDING | {"submitted_at": written})["submitted_at"] == moment


def test_a_lead_without_an_id_gets_one_that_stays() -> None:
    first = lead(INBOUND)["lead_id"]

    assert first.startswith("ld_")
    assert len(first) == 19
    assert lead(INBOUND | {"email": " ines@nordlys.example ", "company": "Other", "title": None})["lead_id"] == first
    assert lead(INBOUND | {"email": "ines2@nordlys.example"})["lead_id"] != first
    assert lead({"phone": "+1 (415) 555-0100"})["lead_id"] == lead({"phone": "1 415 555 0100", "full_name": "A B"})["lead_id"]
    assert (
        lead({"linkedin_url": "https://www.linkedin.com/in/X/"})["lead_id"]
        == lead({"linkedin_url": "https://www.linkedin.com/in/x"})["lead_id"]
    )
    assert (
        lead({"full_name": "A B", "company": "Acme"})["lead_id"]
        == lead({"first_name": "a", "last_name": "b", "company": "ACME"})["lead_id"]
    )


def test_an_impossible_address_is_refused_though_there_is_a_phone() -> None:
    assert codes(read(ndjson({"email": "none", "phone": "+1 415 555 0100"}))) == [(1, "invalid_email", "email")]


def test_one_declaration_is_a_new_shape() -> None:
    webinar = Adapter(
        "webinar",
        shapes=(frozenset({"attendee_mail", "webinar_code"}),),
        renames={"attendee_mail": "email", "affiliation": "company", "minutes": "web_activity_score"},
        ids=("ticket",),
        submitted=("joined",),
    )
    payload = {
        "attendee_mail": "a@acme.example",
        "webinar_code": "W1",
        "affiliation": "Acme",
        "minutes": "42",
        "ticket": 7,
        "joined": "2026-11-03",
    }
    (chunk,) = lines(Text([ndjson(payload, INBOUND)]), LIMIT)

    frame, rejects = rows(chunk, adapters=(webinar, *ADAPTERS))

    assert rejects == []
    row = frame.row(0, named=True)
    assert frame["adapter"].to_list() == ["webinar", "inbound_b2b"]
    assert (row["email"], row["company"], row["web_activity_score"], row["lead_id"]) == ("a@acme.example", "Acme", 42.0, "7")
    assert row["submitted_at"] == datetime(2026, 11, 3, tzinfo=UTC)
    assert json.loads(row["extra"]) == {"webinar_code": "W1"}


def test_every_declaration_names_columns_that_exist() -> None:
    for adapter in ADAPTERS:
        assert set(adapter.renames.values()) <= set(LeadFields.model_fields)
        assert set(adapter.sources) <= set(DROP_SCHEMA)
    assert {"email", "customer_id", "organization", "utm_campaign"} <= FIELD_KEYS


def test_the_order_of_keys_does_not_change_the_shape_or_the_payload() -> None:
    backwards = dict(reversed(list(LENDING.items())))

    assert choose(list(backwards), is_csv=False).name == "lending_form"
    assert lead(backwards) == lead(LENDING)


def test_many_shapes_in_one_drop_keep_their_places() -> None:
    payloads = [LENDING, INBOUND, CRM, CAMPAIGN_API, {"email": "a@b.example", "x": 1}, INBOUND | {"y": 2}]
    drop = read(ndjson(*payloads))

    assert drop.leads["position"].to_list() == [1, 2, 3, 4, 5, 6]
    assert [json.loads(text) for text in drop.leads["payload"]] == payloads
    assert [json.loads(text) for text in drop.leads["extra"]][4:] == [{"x": 1}, {"y": 2}]

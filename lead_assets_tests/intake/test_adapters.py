"""Payload shapes: chosen by the payload's own keys, filled column by column, nothing dropped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from lead_assets.core.limits import DropLimits
from lead_assets.intake.drops import read_drops
from lead_assets_tests.intake.samples import CAMPAIGN_API, CRM, INBOUND, LENDING, LIMIT, codes, lead, ndjson, read


@pytest.mark.parametrize(
    ("payload", "adapter"),
    [
        (LENDING, "lending_form"),
        ({key: LENDING[key] for key in ("lead_id", "first_name", "last_name", "email")}, "inbound_b2b"),
        ({"lead_id": "1", "first_name": "Jo", "email": "jo@acme.example", "company": "Acme", "title": "CTO"}, "inbound_b2b"),
        ({"email": "a@b.example", "Loan Amount": "450k"}, "lending_form"),
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
        ("$450.000", 450_000), ("450.000,00 €", 450_000), ("1.234.567", 1_234_567), ("1,00,000", 100_000), ("about $450,000", 450_000), ("10k+", 10_000),
        ("< 5000", 5000), ("400k-500k", 400_000), ("$400,000 to $500,000", 400_000), ("400-500k", 400_000), ("ca. 300 Tsd. EUR", 300_000),
        ("1,5 Mio. €", 1_500_000), ("US$ 1 million", 1_000_000), ("450 000 kr", 450_000), ("٤٥٠٠٠٠", 450_000), (["450000"], 450_000),
    ],
)  # fmt: skip
def test_amounts_are_read_as_people_write_them(written: Any, number: float | None) -> None:
    row = lead(LENDING | {"purchase_price": written})
    assert (row["purchase_price"], row["unread_fields"]) == (number, None)


def test_a_score_has_decimals_where_money_has_thousands() -> None:
    assert lead(CRM | {"web_activity_score": "71.125"})["web_activity_score"] == 71.125


@pytest.mark.parametrize("written", ["abc", "1.2.3", "12 or 13", "--5", "0x10", "k", "١٢٣x", "123 Main St", "5 months", "500k-400k"])
def test_what_is_no_number_or_two_is_not_guessed(written: str) -> None:
    row = lead(LENDING | {"purchase_price": written})
    assert (row["purchase_price"], row["unread_fields"]) == (None, ["purchase_price"])


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
        ("11/20/2026", datetime(2026, 11, 20, tzinfo=UTC)),
        ("20/11/2026 15:45", datetime(2026, 11, 20, 15, 45, tzinfo=UTC)),
        ("11/20/2026 3:45 PM", datetime(2026, 11, 20, 15, 45, tzinfo=UTC)),
        ("5.11.2026", datetime(2026, 11, 5, tzinfo=UTC)),
        ("2026/11/05 10:00:00", datetime(2026, 11, 5, 10, tzinfo=UTC)),
        ("Nov 3, 2026 5:04 pm", datetime(2026, 11, 3, 17, 4, tzinfo=UTC)),
        ("Tue, 03 Nov 2026 17:04:00 +0000", datetime(2026, 11, 3, 17, 4, tzinfo=UTC)),
        ("3 novembre 2026", datetime(2026, 11, 3, tzinfo=UTC)),
        ("3 de noviembre de 2026", datetime(2026, 11, 3, tzinfo=UTC)),
        ("3. November 2026", datetime(2026, 11, 3, tzinfo=UTC)),
        ("2026年11月3日", datetime(2026, 11, 3, tzinfo=UTC)),
        (1760000000, datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)),
        (1760000000000, datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)),
        ("1760000000", datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)),
        (46000.5, datetime(2025, 12, 9, 12, tzinfo=UTC)),
        ("", None),
        (None, None),
    ],
)
def test_times_are_read_as_they_are_written_and_utc_where_no_zone_is_given(written: Any, moment: datetime | None) -> None:
    assert lead(LENDING | {"submitted_at": written})["submitted_at"] == moment


def test_a_lead_without_an_id_gets_one_that_stays() -> None:
    first = lead(INBOUND)["lead_id"]

    assert first.startswith("ld_")
    assert len(first) == 19
    assert lead(INBOUND | {"email": " ines@nordlys.example ", "company": "Other", "title": None})["lead_id"] == first
    assert lead(INBOUND | {"email": "ines2@nordlys.example"})["lead_id"] != first
    by_phone = lead({"phone": "+1 (415) 555-0100", "full_name": "A B"})["lead_id"]
    assert by_phone == lead({"phone": "1 415 555 0100", "first_name": "a", "last_name": "b"})["lead_id"]
    assert by_phone != lead({"phone": "1 415 555 0100", "full_name": "C D"})["lead_id"]
    assert (
        lead({"linkedin_url": "https://www.linkedin.com/in/X/"})["lead_id"]
        == lead({"linkedin_url": "https://www.linkedin.com/in/x"})["lead_id"]
    )
    assert (
        lead({"full_name": "A B", "company": "Acme"})["lead_id"]
        == lead({"first_name": "a", "last_name": "b", "company": "ACME"})["lead_id"]
    )


def test_an_impossible_address_costs_no_lead_that_has_a_phone() -> None:
    row = lead({"email": "none", "phone": "+1 415 555 0100"})
    assert (row["email"], row["phone"], row["unread_fields"], json.loads(row["extra"])) == (
        None,
        "+1 415 555 0100",
        ["email"],
        {"email": "none"},
    )


def test_a_day_that_could_be_two_is_read_as_the_others_of_its_drop_are() -> None:
    def days(*written: str) -> list[str | None]:
        drop = read(ndjson(*({"email": f"p{number}@acme.example", "submitted_at": day} for number, day in enumerate(written))))
        return [None if moment is None else f"{moment:%Y-%m-%d}" for moment in drop.leads["submitted_at"].to_list()]

    assert days("05/11/2026", "31/10/2026") == ["2026-11-05", "2026-10-31"]
    assert days("05/11/2026", "10/31/2026") == ["2026-05-11", "2026-10-31"]
    assert days("05/11/2026", "05/05/2026") == [None, "2026-05-05"]
    assert days("05/11/2026", "31/10/2026", "10/31/2026") == [None, "2026-10-31", "2026-10-31"]


def test_one_drop_does_not_tell_another_how_its_days_are_written() -> None:
    ambiguous, german = (ndjson({"email": "a@acme.example", "submitted_at": day}) for day in ("05/11/2026", "31/10/2026"))
    together = read_drops([(ambiguous, {}), (german, {})], limits=DropLimits(LIMIT))
    assert together.leads["submitted_at"].is_null().to_list() == [True, False]


@pytest.mark.parametrize(
    ("column", "sent", "text"),
    [
        ("company_size", 250, "250"),
        ("phone", 14155550100, "14155550100"),
        ("phone", 14155550100.0, "14155550100"),
        ("title", ["CTO", "Founder"], "CTO, Founder"),
        ("lead_id", 1.5, "1.5"),
        ("last_name", 4471, "4471"),
        ("notes", ["a", 2], "a, 2"),
    ],
)
def test_scalars_are_taken_as_text(column: str, sent: Any, text: str) -> None:
    row = lead(INBOUND | {column: sent})
    assert (row[column], row["unread_fields"]) == (text, None)


def test_the_order_of_keys_does_not_change_the_shape_or_the_payload() -> None:
    assert lead(dict(reversed(list(LENDING.items())))) == lead(LENDING)


def test_many_shapes_in_one_drop_keep_their_places() -> None:
    payloads = [LENDING, INBOUND, CRM, CAMPAIGN_API, {"email": "a@b.example", "x": 1}, INBOUND | {"y": 2}]
    drop = read(ndjson(*payloads))

    assert drop.leads["position"].to_list() == [1, 2, 3, 4, 5, 6]
    assert [json.loads(text) for text in drop.leads["payload"]] == payloads
    assert [json.loads(text) for text in drop.leads["extra"]][4:] == [{"x": 1}, {"y": 2}]


def test_a_batch_beside_single_leads_of_the_same_shape() -> None:
    """The batch's second lead had a part, the single leads behind it had none, and their order could not be found."""
    leads = [{"first_name": "Ines", "company": "Nordlys", "email": f"p{number}@acme.example"} for number in range(5)]
    drop = read(ndjson({"people": leads[:2]}, leads[2], {"people": leads[3:4]}, leads[4]))

    assert codes(drop) == []
    assert drop.leads.select("position", "part", "email").rows() == [
        (1, 1, "p0@acme.example"),
        (1, 2, "p1@acme.example"),
        (2, 1, "p2@acme.example"),
        (3, 1, "p3@acme.example"),
        (4, 1, "p4@acme.example"),
    ]

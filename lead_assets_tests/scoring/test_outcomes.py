"""Outcomes: exports of real CRMs are read as they are, each statement finds its lead, and the newest one counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lead_assets.contracts import LeadOutcome
from lead_assets.core.settings import Settings
from lead_assets.core.tabular import UnreadableTable
from lead_assets.scoring.outcome_rules import load_outcome_rules
from lead_assets.scoring.outcomes import outcomes
from lead_assets.scoring.statements import FILE_COLUMNS, StatementsRead, read_statements, stated_in
from lead_assets.stores.archive import Archive

RULES = load_outcome_rules(Settings())
MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))


def read(text: str, name: str = "deals.csv", **columns: str) -> StatementsRead:
    return read_statements(text.encode(), name, RULES, columns)


def said(text: str, name: str = "deals.csv", **columns: str) -> list[str]:
    return read(text, name, **columns).statements["outcome"].to_list()


@pytest.mark.parametrize(
    ("stage", "meaning"),
    [
        ("Closed Won", "won"),
        ("closedwon", "won"),
        ("7. Closed Won (100 %)", "won"),
        ("Closed - Converted", "won"),
        ("Closed - Not Converted", "lost"),
        ("Closed Lost to Competition", "lost"),
        ("Closed-Lost", "lost"),
        ("Won't buy", "lost"),
        ("Out-Sold", "lost"),
        ("Junk Lead", "lost"),
        ("Verloren", "lost"),
        ("gagnée", "won"),
        ("Qualified To Buy", "open"),
        ("Id. Decision Makers", "open"),
        ("Negotiation/Review", "open"),
        ("Open - Not Contacted", "open"),
        ("Potential customer", "open"),
        ("Wonderland phase", None),
        ("1", None),
    ],
)
def test_stages_of_crms_are_read_as_they_are_written(stage: str, meaning: str | None) -> None:
    assert RULES.meaning(stage) == meaning


def test_an_export_of_salesforce_is_read_without_being_told_anything() -> None:
    found = read(
        "Opportunity Name;StageName;CloseDate;IsWon;IsClosed;Contact: Email\n"
        "A;Closed Won;2026-05-01;true;true;ann@a.example\n"
        "B;Closed Lost;2026-06-01;false;true;Bob <BOB@b.example>\n"
        "C;Proposal/Price Quote;2027-01-01;false;false;cy@c.example\n",
        "report.csv",
        email="Contact: Email",
    )
    assert found.statements.select("outcome", "outcome_at", "email").rows() == [
        ("won", MAY, "ann@a.example"),
        ("lost", JUNE, "bob@b.example"),
        ("open", None, "cy@c.example"),
    ]
    assert found.unread == {}


def test_deals_as_hubspot_s_api_answers_them() -> None:
    deals = [
        {
            "id": "1",
            "properties": {
                "dealstage": "closedwon",
                "closedate": "2026-05-01T00:00:00.000Z",
                "hs_is_closed_won": "true",
                "hs_is_closed": "true",
            },
            "associations": {"contacts": {"results": [{"id": "501", "type": "deal_to_contact"}]}},
        },
        {
            "id": "2",
            "properties": {
                "dealstage": "98127344",
                "closedate": "2026-06-01T00:00:00.000Z",
                "hs_is_closed_won": "false",
                "hs_is_closed": "true",
            },
            "associations": {"contacts": {"results": [{"id": "502", "type": "deal_to_contact"}]}},
        },
        {"id": "3", "properties": {"dealstage": "98127343", "hs_is_closed_won": "false", "hs_is_closed": "false"}},
    ]
    found = read(json.dumps({"results": deals, "paging": {}}), "deals.json")
    assert found.statements.select("outcome", "outcome_at", "lead_id").rows() == [("won", MAY, "501"), ("lost", JUNE, "502")]
    assert found.rows == 3


def test_won_no_may_still_be_open_and_says_nothing_alone() -> None:
    assert said("email\tis won\na@a.example\tno\nb@b.example\tyes\n", "x.tsv") == ["won"]


def test_a_stage_that_nobody_knows_is_named_and_says_nothing() -> None:
    found = read("email,stage\na@a.example,Pixie dust\nb@b.example,Pixie dust\nc@c.example,won\n")
    assert (found.statements["outcome"].to_list(), found.unread, found.rows) == (["won"], {"Pixie dust": 2}, 3)


def test_milliseconds_are_dates() -> None:
    found = read(f"email,stage,closedate\na@a.example,won,{int(MAY.timestamp() * 1000)}\nb@b.example,won,{int(JUNE.timestamp() * 1000)}\n")
    assert found.statements["outcome_at"].to_list() == [MAY, JUNE]


@pytest.mark.parametrize(
    ("text", "name", "told"),
    [
        ("email,colour\na@a.example,red\n", "x.csv", "none is known to say how a lead ended: name it with --map stage=COLUMN"),
        ("stage,colour\nwon,red\n", "x.csv", "none says which lead is meant"),
        ("not json", "x.json", "is not JSON"),
        ("[]", "x.json", "contains no objects"),
        ("", "x.csv", "the file is empty"),
        ("a", "x.docx", "not a known kind of table"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_and_what_to_do(text: str, name: str, told: str) -> None:
    with pytest.raises(UnreadableTable, match=told):
        read(text, name)


def test_a_column_that_is_not_there_or_a_field_that_is_none() -> None:
    with pytest.raises(UnreadableTable, match="no column 'Stufe'"):
        read("email,stage\na@a.example,won\n", stage="Stufe")
    with pytest.raises(UnreadableTable, match="no field 'colour'"):
        read("email,stage\na@a.example,won\n", colour="stage")


# --- which lead is meant ---

LEADS = pl.DataFrame(
    [
        ("autumn", "salesforce:00Q5e00000AbCdE", "a.example", "ann@a.example"),
        ("autumn", "ld_1", "a.example", "abe@a.example"),
        ("spring", "ld_2", "a.example", "ann@a.example"),
        ("spring", "ld_3", "b.example", None),
    ],
    schema=["campaign_id", "lead_id", "account_key", "email"],
    orient="row",
)
NO_LEADS = pl.DataFrame(
    schema={
        **dict.fromkeys(["campaign_id", "lead_id", "account_key", "email", "stage"], pl.String),
        **dict.fromkeys(["outcome_at", "known_at"], pl.Datetime("us", "UTC")),
    }
)


def stated(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {"outcome": "won", "stage": "won", "known_at": JULY, "source": "file"}
    return pl.DataFrame([usual | {"row": n, "record": f"f/{n}"} | row for n, row in enumerate(rows, 1)], schema=FILE_COLUMNS)


def of(statements: pl.DataFrame, own: pl.DataFrame = NO_LEADS) -> dict[str, tuple[str, str | None]]:
    frame = outcomes(own, statements, LEADS, RULES)
    assert frame.schema == LeadOutcome.polars_schema()
    return {row["outcome_id"]: (row["outcome"], row["matched_on"]) for row in frame.to_dicts()}


def test_an_address_means_the_lead_in_every_campaign_and_nobody_else_of_the_company() -> None:
    assert of(stated({"email": "ann@a.example", "domain": "a.example"})) == {
        "autumn/salesforce:00Q5e00000AbCdE": ("won", "email"),
        "spring/ld_2": ("won", "email"),
    }


def test_an_id_is_found_as_the_crm_exports_it() -> None:
    assert of(stated({"lead_id": "00Q5e00000AbCdEEAV"})) == {"autumn/salesforce:00Q5e00000AbCdE": ("won", "lead_id")}


def test_a_company_alone_means_its_leads_of_which_nobody_says_more() -> None:
    found = of(stated({"domain": "a.example", "outcome": "lost", "outcome_at": JULY}, {"email": "ann@a.example", "outcome_at": MAY}))
    assert found == {
        "autumn/ld_1": ("lost", "account"),
        "autumn/salesforce:00Q5e00000AbCdE": ("won", "email"),
        "spring/ld_2": ("won", "email"),
    }


def test_somebody_who_is_no_lead_is_kept_as_a_customer_by_a_hash_of_the_address() -> None:
    frame = outcomes(NO_LEADS, stated({"email": "zoe@z.example", "domain": "a.example"}), LEADS, RULES)
    (row,) = frame.to_dicts()
    assert (row["outcome_id"], row["lead_id"], row["matched_on"], row["outcome"]) == ("f/1", None, None, "won")
    assert "zoe" not in str(row)
    assert len(row["email_hash"]) == 64


def test_the_newest_statement_counts_and_a_deal_may_be_open_again() -> None:
    lead = {"email": "abe@a.example"}
    assert of(stated(lead | {"outcome_at": MAY}, lead | {"outcome": "lost", "outcome_at": JUNE}))["autumn/ld_1"] == ("lost", "email")
    assert of(stated(lead | {"outcome": "lost", "outcome_at": JUNE}, lead | {"outcome": "open"}))["autumn/ld_1"] == ("open", "email")


def test_what_a_lead_s_own_payload_says_counts_and_an_unknown_word_does_not() -> None:
    rows = [
        ("autumn", "ld_1", "a.example", "abe@a.example", "no_response", None, MAY),
        ("spring", "ld_3", "b.example", None, "purple", None, MAY),
    ]
    own = pl.DataFrame(rows, schema=NO_LEADS.schema, orient="row")
    assert of(stated(), own) == {"autumn/ld_1": ("lost", "payload")}


def test_a_file_arrives_once_however_often_it_is_given(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    data = b"email,stage\nann@a.example,won\n"
    for at, new in ((MAY, True), (JUNE, False)):
        receipt, is_new = archive.add_outcomes(data, "deals.csv", at, source="file", columns={})
        assert (receipt.received_at, is_new) == (MAY, new)
    found, unread = stated_in(archive, RULES)
    assert (found.select("email", "known_at", "source").rows(), unread) == ([("ann@a.example", MAY, "file")], 0)

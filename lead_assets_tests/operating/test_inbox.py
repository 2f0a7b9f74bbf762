"""Outcomes and opt-outs that come by themselves: files in the landing zone, and a CRM's deals."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, RunRequest, SensorResult, SkipReason, build_sensor_context

from lead_assets.automation import inbox_sensor
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.ledger.opened import opened_ledger
from lead_assets.operating import inbox
from lead_assets.privacy.lists import shown
from lead_assets.sandbox import Handle
from lead_assets.scoring.outcome_rules import load_outcome_rules
from lead_assets.scoring.statements import stated_in
from lead_assets.stores.archive import Archive
from lead_assets.stores.opened import archive_of
from lead_assets.vendors.http import VendorHttp
from lead_assets.vendors.hubspot import client
from lead_assets.vendors.hubspot.client import HubSpot
from lead_assets_tests.conftest import Command
from lead_assets_tests.delivery.sends import rules


def later() -> datetime:
    """When nobody is writing any more to what was written just now."""
    return datetime.now(UTC) + timedelta(minutes=1)


DEALS = "Deal Stage;Contact Email;Close Date\nClosed Won;jane@rioplata.example;2026-11-20\nLost;zoe@z.example;2026-11-21\n"


@pytest.fixture
def archive(settings: Settings) -> Archive:
    return archive_of(settings)


@pytest.fixture
def ledger(settings: Settings) -> Iterator[Ledger]:
    with opened_ledger(settings) as opened:
        yield opened


def landed(settings: Settings, name: str, text: str | bytes) -> Path:
    file = Path(settings.landing_location) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_files_are_taken_once_and_leave(settings: Settings, archive: Archive, ledger: Ledger) -> None:
    deals, optouts = (
        landed(settings, ".outcomes/deals.csv", DEALS),
        landed(settings, ".suppressions/week 48.txt", "kim@x.example\nno one\n"),
    )
    assert inbox.empty(settings, archive, ledger, None, now=datetime.now(UTC)).taken == {}, "somebody may still be writing them"
    first = inbox.empty(settings, archive, ledger, None, now=later())
    assert first.taken == {
        ".outcomes/deals.csv": "2 of 2 rows say how a lead ended",
        ".suppressions/week 48.txt": "1 new, 0 known, 1 lines cannot be read",
    }
    assert (first.outcomes, first.unread) == (archive.outcome_names()[0], {})
    assert (deals.exists(), optouts.exists()) == (False, False)
    assert shown(ledger, "kim@x.example")["suppressed"]
    # After a crash before the file left, or sent again: nothing is new, so nothing is run.
    landed(settings, ".outcomes/deals again.csv", DEALS)
    assert inbox.empty(settings, archive, ledger, first.cursor, now=later()).outcomes is None
    assert len(archive.outcomes()) == 1


def test_a_file_that_cannot_be_read_stays_until_it_is_mended(
    settings: Settings, archive: Archive, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    landed(settings, ".outcomes/people.csv", "Name,Email\nJane Doe,jane@x.example\n")
    landed(settings, ".suppressions/noise.txt", b"\xff\xfe\x00\x81")
    landed(settings, ".suppressions/names.csv", "Name\nJane Doe\n")
    landed(settings, ".outcomes/good.csv", DEALS)
    first = inbox.empty(settings, archive, ledger, "{broken", now=later())
    assert set(first.unread) == {".outcomes/people.csv", ".suppressions/noise.txt", ".suppressions/names.csv"}
    assert "--map stage=COLUMN" in first.unread[".outcomes/people.csv"]
    assert "Jane" not in str(first.unread) + first.cursor
    assert set(first.taken) == {".outcomes/good.csv"}
    reads = []
    monkeypatch.setattr(inbox, "read_statements", lambda *given: reads.append(given))
    assert inbox.empty(settings, archive, ledger, first.cursor, now=later()).unread == first.unread
    assert reads == [], "not read again while it is as it was"
    monkeypatch.undo()
    landed(settings, ".outcomes/people.csv", "Email,Stage\njane@x.example,won\n")
    mended = inbox.empty(settings, archive, ledger, first.cursor, now=later())
    assert (mended.outcomes, set(mended.taken)) == (archive.outcome_names()[-1], {".outcomes/people.csv"})


def told_to_hubspot(settings: Settings, deals: list[tuple[str, list[int]]], people: int) -> None:
    async def tell() -> None:
        from lead_assets.vendors import destinations

        async with HubSpot(VendorHttp("hubspot", str(destinations()["hubspot"].url(settings)), {"authorization": "Bearer x"})) as hubspot:
            inputs: list[dict[str, Any]] = [
                {"id": f"p{n}@x.example", "idProperty": "email", "properties": {"email": f"p{n}@x.example"}} for n in range(people)
            ]
            ids = [each["id"] for each in (await hubspot.upsert(inputs))["results"]]
            made = [
                {
                    "properties": {"dealname": "New deal", "dealstage": stage, "closedate": "2026-11-20T10:00:00Z"},
                    "associations": [{"to": {"id": ids[who]}, "types": []} for who in contacts],
                }
                for stage, contacts in deals
            ]
            await hubspot._post("deals", "/crm/v3/objects/deals/batch/create", {"inputs": made})

    asyncio.run(tell())


def test_the_deals_of_a_crm_become_outcomes(settings: Settings, sandbox: Handle, archive: Archive, ledger: Ledger) -> None:
    stages = [("closedwon", [0, 1]), ("closedlost", [2]), ("appointmentscheduled", [3]), ("12345678", [4]), ("closedwon", [])]
    told_to_hubspot(settings, stages + [("closedlost", [5 + n % 90]) for n in range(230)], 95)
    fetched = inbox.fetch_outcomes(settings, archive, rules("hubspot"), later())
    assert fetched == [{"destination": "hubspot", "read": 235, "new": True, "why": ""}]
    statements, unread = stated_in(archive, load_outcome_rules(settings))
    said = dict(statements.unique("email", keep="first", maintain_order=True).select("email", "outcome").iter_rows())
    expected = {"p0": "won", "p1": "won", "p2": "lost", "p3": "open", "p4": "open"}
    assert {name: said[f"{name}@x.example"] for name in expected} == expected, "a stage of one's own is read by its flags"
    assert unread == 0
    assert set(statements["source"]) == {"hubspot"}
    assert statements.filter(outcome="won")["outcome_at"].null_count() == 0
    again = inbox.fetch_outcomes(settings, archive, rules("hubspot"), later())
    assert again[0]["new"] is False
    assert len(archive.outcomes()) == 1


def test_a_deal_with_more_contacts_than_are_listed_with_it_ends_for_all_of_them(
    settings: Settings, sandbox: Handle, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_LINKED", 30)
    told_to_hubspot(settings, [("closedwon", list(range(95))), ("closedlost", [95])], 96)
    inbox.fetch_outcomes(settings, archive, rules("hubspot"), later())
    statements, _ = stated_in(archive, load_outcome_rules(settings))
    assert dict(statements["outcome"].value_counts().iter_rows()) == {"won": 95, "lost": 1}
    assert len([each for each in sandbox.requests("hubspot") if "/associations/" in each["path"]]) == 4, "of the one deal, 30 a page"


def test_a_tick_that_broke_off_after_a_file_left_asks_for_its_run_in_the_next(
    settings: Settings, archive: Archive, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = inbox.empty(settings, archive, ledger, None, now=later()).cursor
    landed(settings, ".outcomes/deals.csv", DEALS)
    landed(settings, ".suppressions/optouts.txt", "kim@x.example\n")

    def away(*given: Any, **more: Any) -> Any:
        raise ConnectionError("the ledger's database is away")

    monkeypatch.setattr(inbox.lists, "import_data", away)
    with pytest.raises(ConnectionError):
        inbox.empty(settings, archive, ledger, before, now=later())
    monkeypatch.undo()
    again = inbox.empty(settings, archive, ledger, before, now=later())
    assert again.outcomes == archive.outcome_names()[0]
    assert set(again.taken) == {".suppressions/optouts.txt"}


def test_deals_in_hubspots_documented_form(settings: Settings, sandbox: Handle, archive: Archive) -> None:
    """A page as HubSpot's reference shows it, with both labels of an association, a deal of nobody, and a contact that is gone."""
    times = {"createdAt": "2024-02-27T10:31:15.611Z", "updatedAt": "2024-06-12T15:02:44.027Z", "archived": False}
    closed = {"closedate": "2024-03-31T10:30:31.051Z", "dealstage": "1390524", "hs_is_closed": "true", "hs_is_closed_won": "true"}
    contact = {"results": [{"id": "45317201", "type": "deal_to_contact"}, {"id": "45317201", "type": "deal_to_contact_unlabeled"}]}
    page = [
        {"id": "19171005526", "properties": {**closed, "hs_object_id": "19171005526"}, **times, "associations": {"contacts": contact}},
        {"id": "19171005527", "properties": {**closed, "closedate": None, "hs_is_closed_won": None}, **times},
    ]
    sandbox.set_fault("hubspot", "status", operation="deals", status=200, body={"results": page})
    (told,) = inbox.fetch_outcomes(settings, archive, rules("hubspot"), later())
    assert told == {"destination": "hubspot", "read": 1, "new": True, "why": ""}
    statements, unread = stated_in(archive, load_outcome_rules(settings))
    (said,) = statements.select("outcome", "stage", "lead_id", "email", "source").rows()
    assert said == ("won", "1390524", "45317201", None, "hubspot")
    assert statements["outcome_at"][0] == datetime(2024, 3, 31, 10, 30, 31, tzinfo=UTC), "dates are read to the second"
    assert unread == 0


def test_a_crm_that_refuses_is_named(settings: Settings, sandbox: Handle, archive: Archive) -> None:
    sandbox.set_fault("hubspot", "status", status=403)
    assert inbox.fetch_outcomes(settings, archive, rules("hubspot", "slack"), later())[0]["why"] == "missing_scope"


def test_the_sensor_asks_for_the_table_of_outcomes(
    settings: Settings, ledger: Ledger, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "SETTLED_SECONDS", -1.0)
    landed(settings, ".outcomes/deals.csv", DEALS)
    with DagsterInstance.ephemeral() as instance:
        resources = {"settings": settings, "ledger": ledger, "archive": archive}
        result = inbox_sensor(build_sensor_context(instance=instance, resources=resources))
        assert isinstance(result, SensorResult)
        (request,) = result.run_requests or []
        assert isinstance(request, RunRequest)
        assert [key.to_user_string() for key in request.asset_selection or ()] == ["scoring/outcomes"]
        landed(settings, ".outcomes/nothing.csv", "a,b\n1,2\n")
        skipped = inbox_sensor(build_sensor_context(instance=instance, resources=resources, cursor=result.cursor))
        assert isinstance(skipped, SkipReason)
        assert ".outcomes/nothing.csv stays: " in (skipped.skip_message or "")


def test_the_command_fetches(command: Command, settings: Settings, sandbox: Handle) -> None:
    assert command("outcomes", "fetch", "--from", "hubspots").code == 2
    told = command("outcomes", "fetch", "--json", sandbox_url=sandbox.url).answer()
    assert told == {"destinations": [{"destination": "hubspot", "read": 0, "new": False, "why": ""}]}

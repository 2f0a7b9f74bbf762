"""Job postings, contacts and e-mail addresses: signals that ask something other than their subject, bought from the sandbox and read."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl

from lead_assets.contracts import Contacts, EmailAddress, JobPostings
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Lifetimes
from lead_assets.sandbox.hunter.service import verdict
from lead_assets.sandbox.world import company
from lead_assets.signals.engine import collect, collect_all
from lead_assets.signals.signal import load_signals
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import at_companies, frame, lead

COMPANIES = [f"company{number}.example" for number in range(20)]


def usd(room: Room, service: str, *operations: str) -> Decimal:
    meter = room.sandbox.meter().get(service, {})
    return sum((Decimal(str(meter[name]["usd"])) for name in operations if name in meter), Decimal(0)).quantize(Decimal("0.000001"))


def test_postings_need_the_organization_which_is_bought_once_for_both(room: Room) -> None:
    signals = [room.signal("job_postings"), room.signal("organization")]
    collected = collect_all(signals, at_companies(COMPANIES), ledger=room.ledger, settings=room.settings)
    postings, organizations = (collected[name].frame for name in ("job_postings", "organization"))
    assert postings.schema == JobPostings.polars_schema()
    assert {times for subjects in room.sandbox.subjects("apollo").values() for times in subjects.values()} == {1}
    assert postings["cost_usd"].sum() == usd(room, "apollo", "job_postings")
    assert organizations["cost_usd"].sum() == usd(room, "apollo", "organizations/bulk_enrich")
    for row in postings.to_dicts():
        known = organizations.filter(pl.col("lead_id") == row["lead_id"])["state"].item() == "found"
        open_jobs = len(company(row["subject"]).postings) if known else 0
        assert (row["state"], row["posting_count"]) == (("found", open_jobs) if open_jobs else ("not_found", None))
    assert postings["posting_count"].sum() == sum(len(json.loads(text)) for text in postings["postings"].drop_nulls())


def test_postings_in_the_ledger_need_no_organization(room: Room) -> None:
    room.collect(at_companies(COMPANIES), room.signal("job_postings"))
    before = len(room.sandbox.requests("apollo"))
    signal = room.signal("job_postings")
    source = signal.sources[0]
    assert source.needs is not None
    # As if the organizations' answers had run out: other parameters are other answers.
    other = replace(source.needs, sources=(replace(source.needs.sources[0], config={"of": "another day"}),))
    again = room.collect(at_companies(COMPANIES), replace(signal, sources=(replace(source, needs=other),)))
    found = again.frame.filter(pl.col("state") == "found")
    assert found.height > 5
    known = set(room.sandbox.subjects("apollo")["job_postings"])
    asked = [json.loads(each["body"]) for each in room.sandbox.requests("apollo")[before:]]
    assert {item["domain"] for body in asked for item in body["details"]}.isdisjoint(known)


def test_postings_without_the_organization_signal_carry_its_cost(room: Room, tmp_path: Path) -> None:
    from lead_assets.core.project_files import rules_file

    rules = rules_file("signals.yaml", room.settings).read_text().replace("  organization:\n", "  organization:\n    enabled: false\n")
    (tmp_path / "signals.yaml").write_text(rules)
    settings = room.settings.model_copy(update={"rules_dir": tmp_path})
    table = collect(load_signals(settings)["job_postings"], at_companies(COMPANIES), ledger=room.ledger, settings=settings).frame
    assert table["cost_usd"].sum() == usd(room, "apollo", "job_postings", "organizations/bulk_enrich")


def test_a_posting_whose_organization_could_not_be_had_says_why(room: Room) -> None:
    room.sandbox.set_fault("apollo", "status", operation="organizations/bulk_enrich", status=401)
    table = room.collect(at_companies(COMPANIES[:3]), room.impatient("job_postings")).frame
    assert table.select("state", "reason").unique().rows() == [("unknown", "auth")]
    assert room.sandbox.meter()["apollo"].get("job_postings") is None


def test_contacts_are_free_and_at_most_as_many_as_configured(room: Room) -> None:
    signal = room.signal("contacts")
    few = replace(signal, sources=(replace(signal.sources[0], config={"limit": 3, "person_seniorities": ["vp", "director"]}),))
    for table, most in ((room.collect(at_companies(COMPANIES), signal).frame, 10), (room.collect(at_companies(COMPANIES), few).frame, 3)):
        assert table.schema == Contacts.polars_schema()
        assert table["cost_usd"].sum() == 0
        found = table.filter(pl.col("state") == "found")
        assert found.height > 3
        for row in found.to_dicts():
            listed = json.loads(row["contacts"])
            assert 1 <= len(listed) == row["contact_count"] <= most
            assert all("***" in each["name"] and each["email"] is None for each in listed)
    assert room.sandbox.billed("apollo") == 0


def test_contacts_may_come_from_hunter_instead_for_a_credit_a_company(room: Room) -> None:
    signal = room.signal("contacts")
    table = room.collect(at_companies(COMPANIES), replace(signal, sources=(replace(signal.sources[1], enabled=True),))).frame
    assert table["cost_usd"].sum() == usd(room, "hunter", "domain-search") > 0
    assert table["provider"].unique().to_list() == ["hunter"]
    assert all(each["email"] for each in json.loads(table.filter(pl.col("state") == "found")["contacts"][0]))


def people(count: int = 30, **columns: object) -> pl.DataFrame:
    """Leads of one name each, at companies that differ in pattern; every third gives an address that is not theirs, every third none."""
    rows = []
    for number in range(count):
        domain, last = f"company{number}.example", f"moreau{chr(97 + number % 26)}"
        own = [company(domain).address("Ada", last), f"old.{number}x@{domain}", None][number % 3]
        rows.append(lead(number, domain, email_normalized=own, name_first="Ada", name_last=last.capitalize(), **columns))
    return frame(rows)


def test_an_address_is_graded_and_says_where_it_is_from(room: Room) -> None:
    leads = people()
    table = room.collect(leads, room.signal("email")).frame
    assert table.schema == EmailAddress.polars_schema()
    assert table["lead_id"].to_list() == leads["lead_id"].to_list()
    for row in table.filter(pl.col("email_from").is_in(["own", "guess"])).to_dicts():
        said, score = verdict(row["email_address"])
        assert (row["email_grade"], row["email_score"]) == (said, score)
    assert set(table["email_from"]) >= {"own", "guess", "finder"}
    assert Counter(table["email_grade"])["valid"] > 15
    assert table["cost_usd"].sum() == usd(room, "hunter", "email-verifier", "email-finder") + usd(room, "apollo", "people/bulk_match")
    metered = room.sandbox.meter()
    again = room.collect(leads, room.signal("email"))
    assert again.frame.equals(table)
    assert room.sandbox.meter() == metered
    assert again.stats.total.cost_micros == 0


def test_the_cheapest_is_asked_first_and_a_valid_answer_ends_it(room: Room) -> None:
    domain = next(name for name in COMPANIES if verdict(company(name).address("Ada", "Moreau"))[0] == "valid")
    own = company(domain).address("Ada", "Moreau")
    table = room.collect(frame([lead(1, domain, email_normalized=own, name_first="Ada", name_last="Moreau")]), room.signal("email")).frame
    assert (table["email_grade"].item(), table["email_from"].item(), table["provider"].item()) == ("valid", "own", "hunter")
    assert [request["operations"] for request in room.sandbox.requests("hunter")] == [["email-verifier"]] * len(
        room.sandbox.requests("hunter")
    )
    assert room.sandbox.billed("hunter") == 1
    assert room.sandbox.requests("apollo") == []
    assert table["cost_usd"].item() == Decimal("0.017")


def test_a_known_pattern_saves_the_second_guess(room: Room) -> None:
    domain = next(
        name
        for name in (f"firm{number}.example" for number in range(200))
        if company(name).mail_pattern == "{f}{last}" and verdict(company(name).address("Ada", "Moreau"))[0] == "valid"
    )
    contacts = room.signal("contacts")
    leads = frame([lead(1, domain, name_first="Ada", name_last="Moreau")])
    room.collect(leads, replace(contacts, sources=(replace(contacts.sources[1], enabled=True),)))
    table = room.collect(leads, room.signal("email")).frame
    assert (table["email_address"].item(), table["email_from"].item()) == (f"amoreau@{domain}", "guess")
    assert room.sandbox.billed("hunter", "email-verifier") == 1


def test_a_persons_profile_is_bought_once_for_the_person_and_the_address(room: Room) -> None:
    room.sandbox.set_fault("hunter", "status", status=404, operation="email-finder")
    leads = frame([lead(number, linkedin_url=f"https://www.linkedin.com/in/ada-moreau-{number}") for number in range(12)])
    signals = [room.signal("email"), room.signal("person")]
    collected = collect_all(signals, leads, ledger=room.ledger, settings=room.settings)
    assert room.sandbox.requests("hunter") == []
    emails, persons = collected["email"].frame, collected["person"].frame
    assert emails["email_address"].to_list() == persons["person_email"].to_list()
    assert set(emails["email_from"].drop_nulls()) == {"match"}
    assert emails["cost_usd"].sum() == 0
    assert persons["cost_usd"].sum() == usd(room, "apollo", "people/bulk_match") > 0


def test_a_slow_verification_is_asked_again_and_billed_once(room: Room) -> None:
    room.sandbox.set_fault("hunter", "pending", operation="email-verifier", times=2)
    domain = next(name for name in COMPANIES if verdict(company(name).address("Ada", "Moreau"))[0] == "valid")
    leads = frame([lead(1, domain, email_normalized=company(domain).address("Ada", "Moreau"))])
    assert room.collect(leads, room.signal("email")).frame["email_grade"].item() == "valid"
    assert [request["status"] for request in room.sandbox.requests("hunter")][:2] == [202, 202]
    assert room.sandbox.billed("hunter") == 1


def test_who_asked_hunter_not_to_be_processed_is_asked_about_no_further(room: Room) -> None:
    own = "do-not-process@moreau.example"
    leads = frame([lead(1, "moreau.example", email_normalized=own, name_first="Ada", name_last="Moreau")])
    row = room.collect(leads, room.signal("email")).frame.row(0, named=True)
    assert (row["state"], row["reason"], row["email_address"]) == ("not_found", "suppressed", None)
    assert len(room.sandbox.requests("hunter")) == 1
    assert room.sandbox.requests("apollo") == []
    assert room.ledger.suppressions()["value_hash"].to_list() == [hashlib.sha256(own.encode()).hexdigest()]


def test_too_fast_is_waited_out_and_an_empty_quota_is_not(room: Room) -> None:
    leads = people(3)
    room.sandbox.set_fault("hunter", "status", status=403, times=1)
    table = room.collect(leads, room.impatient("email")).frame
    assert table.filter(pl.col("state") == "unknown").is_empty()
    room.sandbox.reset()
    room.sandbox.set_fault("hunter", "status", status=429)
    others = people(6).slice(3)
    # Apollo knows some of them all the same; for the others nobody can say no.
    table = room.collect(others, room.impatient("email")).frame
    assert len(room.sandbox.requests("hunter")) <= 6
    missed = table.filter(pl.col("state") != "found")
    assert set(missed["reason"]) <= {"quota"}
    assert set(table["provider"].drop_nulls()) <= {"apollo"}


def test_without_a_key_an_address_is_unknown_and_says_so(room: Room, tmp_path: Path) -> None:
    keyless = Settings(home=tmp_path, ledger_url=f"sqlite:///{tmp_path / 'live.sqlite'}")
    table = collect(room.signal("email"), people(2), ledger=room.ledger, settings=keyless).frame
    assert table.select("state", "reason").unique().rows() == [("unknown", "no_key")]


def test_a_closed_ledger_gives_the_same_rows_without_a_request(room: Room) -> None:
    leads = people(9)
    signals = [room.signal(name) for name in ("organization", "job_postings", "contacts", "email")]
    bought = collect_all(signals, leads, ledger=room.ledger, settings=room.settings)
    requests = {service: len(room.sandbox.requests(service)) for service in ("apollo", "hunter")}
    brief = [replace(signal, lifetimes=Lifetimes(timedelta(0), timedelta(0), timedelta(0))) for signal in signals]
    again = collect_all(brief, leads, ledger=room.ledger.recall_only(), settings=room.settings)
    for name, one in bought.items():
        assert again[name].frame.equals(one.frame), name
    assert {service: len(room.sandbox.requests(service)) for service in requests} == requests


def test_a_rehearsal_notes_the_postings_beside_the_organizations(room: Room) -> None:
    rehearsal = room.ledger.rehearsal()
    collect(room.signal("job_postings"), at_companies(COMPANIES[:4]), ledger=rehearsal, settings=room.settings)
    wished = Counter(want.operation for want in rehearsal.wished)
    assert wished == {"apollo.organizations/bulk_enrich": 4, "apollo.organizations/job_postings": 4}
    assert room.sandbox.requests("apollo") == []

"""Everything a provider can do wrong, done by the sandbox to each of them: no lead is lost, no error becomes a "no", nothing private is said."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr

from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.purchase import Retry
from lead_assets.signals.engine import collect, collect_all
from lead_assets.signals.signal import Signal
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import frame, lead

KEY = "sk-very-secret"
HASTY = Retry(attempts=2, first=0.01, patience=1.0)
PRIVATE = (KEY, "moreau", "okoye", "ada.", "grace")

LEADS = frame(
    [
        lead(1, "moreau.example", email_normalized="ada.moreau@moreau.example", name_first="Ada", name_last="Moreau"),
        lead(2, "okoye.example", email_normalized="grace.okoye@okoye.example", name_first="Grace", name_last="Okoye"),
        lead(3, "moreau.example", email_normalized="ada.moreau@moreau.example", name_first="Ada", name_last="Moreau"),
        lead(4),
    ]
)

# What the vendors make of it: each names the reason that the lead's row must give.
BAD_DAYS: dict[str, tuple[dict[str, Any], str]] = {
    "400": ({"kind": "status", "status": 400}, "provider_error"),
    "401": ({"kind": "status", "status": 401}, "auth"),
    "401 as plain text": ({"kind": "status", "status": 401, "body": "Invalid API key."}, "auth"),
    "402": ({"kind": "status", "status": 402}, "quota"),
    "403": ({"kind": "status", "status": 403}, "auth"),
    "404": ({"kind": "status", "status": 404, "body": "Not Found"}, "provider_error"),
    "408": ({"kind": "status", "status": 408}, "timeout"),
    "409": ({"kind": "status", "status": 409}, "provider_error"),
    "422": ({"kind": "status", "status": 422}, "provider_error"),
    "429": ({"kind": "status", "status": 429}, "rate_limited"),
    "429 with Retry-After": ({"kind": "status", "status": 429, "headers": {"retry-after": "3600"}}, "rate_limited"),
    "500": ({"kind": "status", "status": 500}, "provider_error"),
    "503": ({"kind": "status", "status": 503}, "provider_error"),
    "503 in HTML": ({"kind": "html", "status": 503}, "provider_error"),
    "HTML instead of JSON": ({"kind": "html"}, "bad_answer"),
    "truncated JSON": ({"kind": "truncated_json"}, "bad_answer"),
    "malformed JSON": ({"kind": "malformed_json"}, "bad_answer"),
    "an empty body": ({"kind": "empty"}, "bad_answer"),
    "a list": ({"kind": "status", "status": 200, "body": [1, 2, 3]}, "bad_answer"),
    "a 200 with an error inside": (
        {"kind": "status", "status": 200, "body": {"status": "failed", "error": "x", "errors": [{"id": "x", "code": "x"}]}},
        "bad_answer",
    ),
    "50 MB": ({"kind": "huge_body"}, "bad_answer"),
    "a reply that comes too late": ({"kind": "stall"}, "timeout"),
    "a connection that is refused": ({"kind": "drop_before"}, "provider_error"),
    "a connection that drops in the middle": ({"kind": "drop_midway"}, "provider_error"),
    "a connection that drops at the end": ({"kind": "drop_after"}, "provider_error"),
}

# Where a vendor means something else by the same thing.
OTHERWISE = {
    ("hunter", "403"): "rate_limited",
    ("hunter", "429"): "quota",
    ("hunter", "429 with Retry-After"): "quota",
    ("apollo", "a 200 with an error inside"): "provider_error",
}


def overview(room: Room) -> Signal:
    return room.impatient("company_overview")


def organization(room: Room) -> Signal:
    return room.impatient("organization")


def address(room: Room) -> Signal:
    """The address as Hunter alone knows it."""
    signal = room.impatient("email")
    return replace(signal, sources=tuple(source for source in signal.sources if source.provider == "hunter"))


def hasty(signal: Signal, deadline: float) -> Signal:
    """The signal with little patience for a reply, seconds."""
    return replace(signal, sources=tuple(replace(each, terms=replace(each.terms, deadline=deadline)) for each in signal.sources))


@pytest.mark.parametrize("day", BAD_DAYS)
@pytest.mark.parametrize(("provider", "of"), [("pipe0", overview), ("apollo", organization), ("hunter", address)])
def test_no_lead_is_lost_and_no_error_becomes_a_no(
    room: Room, caplog: pytest.LogCaptureFixture, provider: str, of: Callable[[Room], Signal], day: str
) -> None:
    fault, reason = BAD_DAYS[day]
    reason = OTHERWISE.get((provider, day), reason)
    settings = room.settings.model_copy(update={f"{provider}_api_key": SecretStr(KEY)})
    signal = of(room)
    room.sandbox.set_fault(provider, **fault)
    asking = hasty(signal, 0.1) if fault["kind"] == "stall" else signal
    with caplog.at_level(logging.DEBUG):
        bad = collect(asking, LEADS, ledger=room.ledger, settings=settings, retry=HASTY)

    assert bad.frame["lead_id"].to_list() == LEADS["lead_id"].to_list()
    assert bad.frame["state"].to_list() == ["unknown"] * 4
    assert set(bad.frame["reason"]) == {reason, "no_subject"}
    said = caplog.text.lower()
    assert f"{provider} {signal.sources[0].operation}: {reason}" in said
    assert not [private for private in PRIVATE if private in said]

    keys = every_key(room, signal)
    assert keys
    assert {answer.state for answer in room.ledger.answers(keys).values()} <= {"unknown"}


def every_key(room: Room, signal: Signal) -> list[str]:
    """The ledger's names for all that the signal may have asked: what it would ask of an empty ledger."""
    rehearsal = Ledger(f"sqlite:///{room.settings.home / 'empty.sqlite'}").rehearsal()
    collect(signal, LEADS, ledger=rehearsal, settings=room.settings)
    return [want.key for want in rehearsal.wished]


@pytest.mark.parametrize(("provider", "of"), [("pipe0", overview), ("apollo", organization), ("hunter", address)])
def test_a_name_that_no_server_has(
    room: Room, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, provider: str, of: Callable[[Room], Signal]
) -> None:
    def no_such_name(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    settings = room.settings.model_copy(update={"sandbox_url": "http://vendors.example"})
    with caplog.at_level(logging.DEBUG), monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", no_such_name)
        bad = collect(of(room), LEADS[[0, 3]], ledger=room.ledger, settings=settings, retry=Retry(attempts=1))
    assert bad.frame["reason"].to_list() == ["provider_error", "no_subject"]
    assert bad.stats.total.uncertain == 0  # nobody can have billed it
    assert not [private for private in PRIVATE if private in caplog.text.lower()]
    assert "unknown" not in collect(of(room), LEADS.head(1), ledger=room.ledger, settings=room.settings).frame["state"].to_list()


@pytest.mark.parametrize(("provider", "of"), [("pipe0", overview), ("apollo", organization), ("hunter", address)])
@pytest.mark.parametrize("day", ["500", "truncated JSON", "a connection that drops in the middle", "a reply that comes too late"])
def test_what_passes_is_waited_out(room: Room, provider: str, of: Callable[[Room], Signal], day: str) -> None:
    room.sandbox.set_fault(provider, times=1, **BAD_DAYS[day][0])
    table = collect(
        hasty(of(room), 0.5), LEADS.head(3), ledger=room.ledger, settings=room.settings, retry=Retry(attempts=3, first=0.01)
    ).frame
    assert "unknown" not in table["state"].to_list()


def test_three_stumbles_of_four_signals_at_once_open_no_circuit(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    """One request of pipe0 serves four signals: each of its failures is one, and is told once."""
    room.sandbox.set_fault("pipe0", "status", status=503, times=3)
    signals = [room.signal(name) for name in ("company_overview", "tech_stack", "funding", "news")]
    with caplog.at_level(logging.WARNING):
        found = collect_all(signals, LEADS, ledger=room.ledger, settings=room.settings, retry=Retry(attempts=4, first=0.01))
    assert room.ledger.circuits() == []
    assert {reason for each in found.values() for reason in each.stats.missed} <= {"no_subject", "no_result"}
    assert len(caplog.records) == 1, caplog.text


PEOPLE = LEADS.with_columns(linkedin_url="linkedin.com/in/" + pl.col("name_first").str.to_lowercase())


@pytest.mark.parametrize(("provider", "name"), [("apollo", "person"), ("hunter", "email")])
def test_a_person_who_does_not_want_to_be_known_is_suppressed_by_every_provider(room: Room, provider: str, name: str) -> None:
    room.sandbox.set_fault(provider, "status", status=451)
    table = collect(room.impatient(name), PEOPLE, ledger=room.ledger, settings=room.settings, retry=HASTY).frame
    assert set(table["reason"]) == {"suppressed", "no_subject"}
    suppressed = room.ledger.suppressed_among([("email", address) for address in LEADS["email_normalized"].drop_nulls().unique()])
    assert (len(suppressed), room.ledger.suppressions().height) == (2, 2)


def test_nobody_is_asked_about_other_addresses_of_a_person_who_opted_out_in_this_run(room: Room) -> None:
    room.sandbox.set_fault("apollo", "status", status=451)
    collect(room.impatient("person"), PEOPLE, ledger=room.ledger, settings=room.settings, retry=HASTY)
    asked = len(room.sandbox.requests("apollo"))
    table = collect(room.impatient("email"), PEOPLE, ledger=room.ledger, settings=room.settings, retry=HASTY).frame
    assert table["reason"].to_list() == ["kept_out"] * 3 + ["no_subject"]
    assert (room.sandbox.requests("hunter"), len(room.sandbox.requests("apollo"))) == ([], asked)
    assert room.ledger.suppressions().height == 2


def test_a_circuit_that_one_provider_opens_leaves_the_others_closed(room: Room) -> None:
    room.sandbox.set_fault("hunter", "status", status=500)
    leads = frame([lead(number, f"c{number}.example", email_normalized=f"a.b@c{number}.example") for number in range(12)])
    settings = room.settings
    table = collect(address(room), leads, ledger=room.ledger, settings=settings, retry=HASTY).frame
    assert set(table["reason"]) == {"provider_error"}
    assert len(room.sandbox.requests("hunter")) < 24
    assert set(collect(organization(room), leads, ledger=room.ledger, settings=settings).frame["state"]) <= {"found", "not_found"}

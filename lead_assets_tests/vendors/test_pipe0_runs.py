"""A run of pipe0 from its request to its end: what a process that dies on the way leaves in doubt, and what looking for the end can meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from lead_assets.ledger import Ledger
from lead_assets.ledger.purchase import Retry
from lead_assets.ledger.schema import claims
from lead_assets.signals.engine import Collected, collect_all
from lead_assets.signals.signal import load_signals
from lead_assets.vendors.pipe0.client import Pipe0
from lead_assets_tests.ledger.killed import die, die_here, killed
from lead_assets_tests.ledger.test_many import assert_books_agree
from lead_assets_tests.signals.conftest import Room
from lead_assets_tests.signals.leads import at_companies

NAMES = ("company_overview", "tech_stack")
COMPANIES = 3
LEADS = at_companies([f"company{number}.example" for number in range(COMPANIES)])
HASTY = Retry(attempts=3, first=0.01)


def collect(room: Room) -> Mapping[str, Collected]:
    signals = [load_signals(room.settings)[name] for name in NAMES]
    return collect_all(signals, LEADS, ledger=room.ledger, settings=room.settings, retry=HASTY)


def assert_all_answered(room: Room, collected: Mapping[str, Collected], *, uncertain: int) -> None:
    assert {row for each in collected.values() for row in each.frame["state"]} <= {"found", "not_found"}
    assert sum(each.stats.total.uncertain for each in collected.values()) == uncertain == room.ledger.billed()["uncertain_calls"]
    assert room.ledger.billed()["calls"] == COMPANIES * len(NAMES)
    assert_books_agree(room.ledger)


def times_bought(room: Room) -> set[int]:
    return {times for operation in room.sandbox.subjects("pipe0").values() for times in operation.values()}


@pytest.mark.parametrize(
    ("where", "name", "how", "begun", "uncertain"),
    [
        pytest.param(Ledger, "sending", die, 1, 0, id="before the request leaves"),
        pytest.param(Pipe0, "run", die_here, 1, 6, id="as it leaves"),
        pytest.param(Ledger, "attach_ref", die, 2, 6, id="before its id is journaled"),
        pytest.param(Pipe0, "check", die_here, 1, 0, id="while it is worked on"),
        pytest.param(Ledger, "exchange", None, 1, 0, id="before its answer is journaled"),
    ],
)
def test_killed_and_resumed_only_a_request_under_way_is_in_doubt(
    room: Room, monkeypatch: pytest.MonkeyPatch, where: type, name: str, how: Any, begun: int, uncertain: int
) -> None:
    exchange = Ledger.exchange

    def settle_and_die(ledger: Ledger, settlements: Any, *arguments: Any) -> Any:
        return die() if settlements else exchange(ledger, settlements, *arguments)

    with killed(room.ledger, monkeypatch, where, name, how or settle_and_die):
        collect(room)
    assert_all_answered(room, collect(room), uncertain=uncertain)
    assert len(room.begun()) == begun
    assert times_bought(room) == {begun}
    assert {answer.vendor_ref is not None for answer in answers(room)} == {True}


def answers(room: Room) -> list[Any]:
    rehearsal = Ledger(f"sqlite:///{room.settings.home / 'empty.sqlite'}").rehearsal()
    signals = [load_signals(room.settings)[name] for name in NAMES]
    collect_all(signals, LEADS, ledger=rehearsal, settings=room.settings)
    return list(room.ledger.answers(want.key for want in rehearsal.wished).values())


@pytest.mark.parametrize("body", [None, {"id": "r", "status": "failed", "errors": [{"code": "Internal"}]}], ids=["forgotten", "failed"])
def test_a_run_of_which_nothing_will_come_is_made_again(room: Room, monkeypatch: pytest.MonkeyPatch, body: Any) -> None:
    with killed(room.ledger, monkeypatch, Pipe0, "check", die_here):
        collect(room)
    [[lost]] = room.ledger._db.read(lambda tx: tx.rows(sa.select(claims.c.vendor_ref).distinct()))
    room.sandbox.set_fault("pipe0", "status", status=200 if body else 404, body=body, operation="check", match=lost)
    assert_all_answered(room, collect(room), uncertain=COMPANIES * len(NAMES))  # it may have been billed
    assert times_bought(room) == {2}


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 429},
        {"kind": "status", "status": 429, "headers": {"retry-after": "0.05"}},
        {"kind": "status", "status": 500},
        {"kind": "html"},
        {"kind": "drop_midway"},
    ],
)
def test_looking_for_a_run_may_fail_and_the_run_is_not_made_again(room: Room, fault: dict[str, Any]) -> None:
    room.sandbox.set_fault("pipe0", operation="check", times=2, **fault)
    assert_all_answered(room, collect(room), uncertain=0)
    assert len(room.begun()) == 1
    assert times_bought(room) == {1}


def test_a_run_that_nobody_can_look_for_is_left_and_fetched_by_the_next(room: Room) -> None:
    room.sandbox.set_fault("pipe0", "status", status=500, operation="check")
    assert {reason for each in collect(room).values() for reason in each.frame["reason"]} <= {"timeout", "provider_error"}
    room.sandbox.clear_faults()
    room.ledger._db.write(lambda tx: tx.connection.exec_driver_sql("DELETE FROM circuits"))
    assert_all_answered(room, collect(room), uncertain=0)
    assert len(room.begun()) == 1


def test_a_run_is_looked_for_gently(room: Room) -> None:
    room.sandbox.set_fault("pipe0", "run_delay", latency_ms=400)
    assert_all_answered(room, collect(room), uncertain=0)
    looks = room.sandbox.meter()["pipe0"]["check"]["requests"]
    assert 1 < looks < 12

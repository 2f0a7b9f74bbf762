"""What the outbox's sensor asks for: a drain when something is due, then the tables of the campaigns whose sends have moved."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from lead_assets.kit.outbox import MOST_AT_ONCE, next_step
from lead_assets.ledger import Ledger
from lead_assets.ledger.outbox_model import Fate, Policy, ToSend, person_hash

NOBODY: set[str] = set()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    yield opened
    opened.close()


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


def plan(ledger: Ledger, instance: DagsterInstance, *campaigns: str) -> None:
    instance.add_dynamic_partitions("campaign", list(campaigns))
    for campaign in campaigns:
        seen = datetime(2026, 11, 1, tzinfo=UTC)
        send = ToSend(
            destination="crm",
            kind="contact",
            campaign_id=campaign,
            lead_id="l1",
            person=person_hash(campaign),
            content="a",
            body={},
            as_of=seen,
        )
        ledger.outbox.plan([send], [campaign], ["crm"])


def asked(ledger: Ledger, instance: DagsterInstance, able: set[str], cursor: str | None) -> tuple[list[tuple[str | None, str | None]], str]:
    requests, cursor = next_step(instance, ledger, able, cursor, "drain", "tables")
    return [(each.job_name, each.partition_key) for each in requests], cursor


def test_what_is_due_is_drained_and_then_shown_once(ledger: Ledger, instance: DagsterInstance) -> None:
    assert asked(ledger, instance, {"crm"}, None) == ([], "0")
    plan(ledger, instance, "c1")
    requests, cursor = asked(ledger, instance, {"crm"}, "0")
    assert requests == [("drain", None), ("tables", "c1")]
    going = ledger.outbox.depart(ledger.outbox.claim("h:1:0", "crm", 5), "h:1:0", Policy())
    ledger.outbox.settle([(going[0], Fate("confirmed"))], "h:1:0", Policy())
    requests, cursor = asked(ledger, instance, {"crm"}, cursor)
    assert requests == [("tables", "c1")]
    assert asked(ledger, instance, {"crm"}, cursor) == ([], cursor)


def test_a_destination_that_cannot_be_sent_to_asks_for_no_run(ledger: Ledger, instance: DagsterInstance) -> None:
    plan(ledger, instance, "c1")
    assert asked(ledger, instance, NOBODY, "0")[0] == [("tables", "c1")]


def test_one_drain_at_a_time(ledger: Ledger, instance: DagsterInstance) -> None:
    plan(ledger, instance, "c1")
    instance.add_run(DagsterRun(job_name="drain", status=DagsterRunStatus.STARTED))
    assert asked(ledger, instance, {"crm"}, "0") == ([], "0")


def test_a_campaign_with_a_run_of_its_own_is_left_to_it_and_nobody_is_passed_over(ledger: Ledger, instance: DagsterInstance) -> None:
    plan(ledger, instance, "c1", "c2", "c3")
    run = instance.add_run(DagsterRun(job_name="lead_pipeline", status=DagsterRunStatus.STARTED, tags={"dagster/partition": "c2"}))
    requests, cursor = asked(ledger, instance, NOBODY, "0")
    assert requests == [("tables", "c1")]
    instance.delete_run(run.run_id)
    assert asked(ledger, instance, NOBODY, cursor)[0] == [("tables", "c2"), ("tables", "c3")]


def test_many_campaigns_are_asked_for_in_turns(ledger: Ledger, instance: DagsterInstance) -> None:
    plan(ledger, instance, *(f"c{n}" for n in range(MOST_AT_ONCE + 2)))
    requests, cursor = asked(ledger, instance, NOBODY, "0")
    assert len(requests) == MOST_AT_ONCE
    assert len(asked(ledger, instance, NOBODY, cursor)[0]) == 2

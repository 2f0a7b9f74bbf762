"""What is run again by itself: work left at a vendor, and answers that have expired, within a day's money."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from dagster import DagsterInstance, RunRequest, SensorResult, SkipReason, build_sensor_context

from lead_assets.cli import runs
from lead_assets.core.settings import Settings
from lead_assets.definitions import build_defs
from lead_assets.intake.ingest import ingest
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import UNSENT, Lifetimes, Want
from lead_assets.operating.rules import Refresh
from lead_assets.operating.upkeep import Asked, Expired, expired, fetches, refreshes
from lead_assets.operating.watch import fetch_sensor, refresh_sensor
from lead_assets.stores.opened import archive_of, warehouse_of

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Refresh(usd_per_day=5, campaigns_at_once=3)


def want(subject: str, campaign: str) -> Want:
    return Want("anthropic", "messages", subject, 10, campaign, Lifetimes(DAY, DAY, DAY), {}, None)


def test_work_left_at_a_vendor_is_found_once_its_holder_is_gone(settings: Settings) -> None:
    class Clock:
        now = NOW

        def __call__(self) -> datetime:
            return self.now

    clock = Clock()
    settings.home.mkdir(parents=True)
    ledger = Ledger(settings.ledger_location, clock)
    wants = {name: want(name, name) for name in ("batch", "unsent", "call")}
    ledger.claim(list(wants.values()), "elsewhere:1:a", lease=60)
    ledger.attach_ref([wants["batch"].key], "msgbatch_1")
    ledger.attach_ref([wants["unsent"].key], UNSENT)
    assert ledger.left_behind() == [], "its holder may be alive"
    clock.now += timedelta(seconds=61)
    ((campaign, claimed),) = ledger.left_behind()
    assert campaign == "batch"
    assert fetches([(campaign, claimed)], set(), {"batch"}) == [Asked("batch", f"fetch/batch/{claimed}")]
    assert fetches([(campaign, claimed)], {"batch"}, {"batch"}) == [], "a run of the campaign will fetch it"
    assert fetches([(campaign, claimed)], set(), set()) == [], "no such partition"
    with DagsterInstance.ephemeral() as instance:
        runs.add_campaigns(instance, ["batch"])
        asked = fetch_sensor(build_sensor_context(instance), ledger=ledger)
        assert isinstance(asked, SensorResult)
        assert [(each.partition_key, each.run_key) for each in asked.run_requests or ()] == [("batch", f"fetch/batch/{claimed}")]
        ledger.claim([wants["batch"]], "here:1:b", lease=60)
        assert isinstance(fetch_sensor(build_sensor_context(instance), ledger=ledger), SkipReason)
    ledger.close()


def test_the_campaigns_with_most_hot_leads_come_first() -> None:
    until = {"a": NOW - DAY, "b": NOW - 2 * DAY, "c": NOW - 2 * DAY, "d": NOW + DAY}
    assert [each.campaign_id for each in expired(until, {"c": 3, "d": 9}, NOW)] == ["c", "b", "a"]


def ask(found: list[Expired], cursor: str | None = None, *, price: float = 1.0, now: datetime = NOW) -> tuple[list[str], str]:
    asked, after = refreshes(found, RULES, lambda _: price, set(), cursor, now)
    return [each.campaign_id for each in asked], after


FOUND = [Expired(name, NOW - DAY, 0) for name in "abcdefgh"]


def test_a_days_money_is_not_overspent_and_nobody_is_asked_for_twice() -> None:
    first, cursor = ask(FOUND)
    second, cursor = ask(FOUND, cursor)
    third, cursor = ask(FOUND, cursor)
    assert (first, second, third) == (["a", "b", "c"], ["d", "e"], [])
    tomorrow, cursor = ask(FOUND, cursor, now=NOW + DAY)
    assert tomorrow == ["f", "g", "h"], "the first five ran, and their answers are as they were: their runs failed, or had no money"
    renewed = [Expired("a", NOW + timedelta(hours=1), 0), *FOUND[1:]]
    assert ask(renewed, cursor, now=NOW + 2 * DAY)[0] == ["a"], "new answers, expired again"


def test_what_is_too_dear_does_not_hold_up_what_is_cheap() -> None:
    prices = {"a": 9.0, "b": 4.0, "c": 2.0, "d": 1.0}
    asked, cursor = refreshes(FOUND[:4], RULES, prices.__getitem__, {"b"}, None, NOW)
    assert [each.campaign_id for each in asked] == ["c", "d"], "a is over the day's money, b has a run already"
    assert json.loads(cursor)["usd"] == 3.0


def test_a_cursor_forgets_campaigns_that_are_not_waiting_any_more() -> None:
    _, cursor = ask(FOUND)
    assert json.loads(ask([], cursor)[1])["asked"] == {}


@pytest.mark.slow
def test_the_sensor_asks_for_campaigns_whose_answers_expired(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lead = {"email": "jane@firm.example", "company": "Firm", "full_name": "Jane Doe", "title": "VP Sales"}
    ingest(archive_of(settings), json.dumps(lead).encode(), name="d.ndjson", received_at=datetime.now(UTC), campaign="fair")
    definitions = build_defs(settings)
    with DagsterInstance.ephemeral() as instance:
        runs.add_campaigns(instance, ["fair"])
        assets = runs.select_assets(definitions, None)
        assert not any(ran.failures for ran in runs.run_campaigns(definitions, instance, ["fair"], assets=assets))

        def tick(cursor: str | None = None) -> SensorResult | SkipReason:
            context = build_sensor_context(instance, cursor=cursor)
            warehouse = WarehouseIOManager(warehouse_of(settings))
            found = refresh_sensor(context, settings=settings, archive=archive_of(settings), warehouse=warehouse)
            assert isinstance(found, SensorResult | SkipReason)
            return found

        assert isinstance(tick(), SkipReason)
        monkeypatch.setattr("lead_assets.operating.upkeep.expired", lambda until, hot, _now: expired(until, hot, max(until.values())))
        found = tick()
        assert isinstance(found, SensorResult)
        (request,) = found.run_requests or ()
        assert isinstance(request, RunRequest)
        assert request.partition_key == "fair"
        assert isinstance(tick(found.cursor), SkipReason)

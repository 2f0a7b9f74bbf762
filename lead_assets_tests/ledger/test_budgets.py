"""What a call counts against: every applicable budget, on the day that reserved its price."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from lead_assets.core.errors import ProviderError
from lead_assets.ledger import Ledger, Reply, Retry, Want, buy
from lead_assets.ledger import database as database_module
from lead_assets.ledger.allowance import Allowance
from lead_assets.ledger.model import Settlement
from lead_assets.ledger.schema import calls, claims, metadata, usage
from lead_assets_tests.ledger.books import assert_books_agree
from lead_assets_tests.ledger.conftest import Clock
from lead_assets_tests.ledger.vendor import Vendor, want, wants

LATE = datetime(2026, 11, 20, 23, 59, 50, tzinfo=UTC)
FIRST, SECOND = "2026-11-20", "2026-11-21"


def standing(ledger: Ledger, day: str, scope: str = "total", name: str = "") -> tuple[int, int, int]:
    """(reserved, spent, uncertain) micro-dollars of a line; the day may be "all"."""
    line = sa.and_(usage.c.scope == scope, usage.c.name == name, usage.c.period == day)
    columns = (usage.c.reserved_micros, usage.c.spent_micros, usage.c.uncertain_micros)
    found = ledger._db.read(lambda tx: tx.rows(sa.select(*columns).where(line)))
    return tuple(found[0]) if found else (0, 0, 0)


def by_day(ledger: Ledger) -> dict[str, Decimal]:
    return dict(ledger.costs(["day"]).select("day", "usd").rows())


def test_spend_belongs_to_the_day_that_reserved_it(timed: Ledger, clock: Clock) -> None:
    clock.time = LATE
    before, after = wants(10, price=1_000_000, campaign="spring"), wants(20, price=1_000_000, campaign="spring")[10:]
    timed.set_budget("total", 10_000_000)
    assert len(timed.claim(before, "owner").granted) == 10
    assert timed.claim(after, "owner").refused == {one.key: "over_budget" for one in after}
    clock.pass_by(timedelta(seconds=20))
    assert len(timed.claim(after, "owner").granted) == 10, "a new day's budget holds nothing of yesterday's reservations"
    done = [Settlement(one, Reply("found", body={}, cost_micros=1_000_000), clock.time) for one in (*before, *after)]
    timed.settle(done, "owner")
    assert standing(timed, FIRST) == standing(timed, SECOND) == (0, 10_000_000, 0)
    assert by_day(timed) == {FIRST: Decimal(10), SECOND: Decimal(10)}
    [budget] = timed.budgets()
    assert (budget.spent_micros, budget.free_micros) == (10_000_000, 0)
    assert set(timed.claim([want("late.example", price=1)], "owner").refused.values()) == {"over_budget"}
    assert_books_agree(timed)


def test_what_a_call_left_over_goes_back_to_the_day_that_reserved_it(timed: Ledger, clock: Clock) -> None:
    clock.time = LATE
    timed.claim(wants(2), "owner")
    clock.pass_by(timedelta(seconds=20))
    timed.release([wants(2)[0].key], "owner")
    assert (standing(timed, FIRST), standing(timed, SECOND)) == ((10_000, 0, 0), (0, 0, 0))
    timed.settle([Settlement(wants(2)[1], Reply("found", body={}, cost_micros=4_000), clock.time)], "owner")
    assert (standing(timed, FIRST), standing(timed, SECOND)) == ((0, 4_000, 0), (0, 0, 0))
    assert_books_agree(timed)


def test_a_failed_attempt_is_paid_by_its_own_day_and_the_next_attempt_by_the_next(timed: Ledger, clock: Clock) -> None:
    """Two attempts that each cost something: midnight passes while the vendor thinks about the first."""

    class Slow(Vendor):
        async def __call__(self, batch: Sequence[Want]) -> list[Reply]:
            clock.pass_by(timedelta(seconds=20))
            return await super().__call__(batch)

    clock.time = LATE
    billed = ProviderError("pipe0", "overview", "transient", "provider_error", status=500, cost_micros=3_000)
    result = asyncio.run(buy(timed, [want("a.example")], Slow(billed), retry=Retry(), sleep=clock.sleep))
    assert (result.bought, result.cost_micros) == (1, 13_000)
    assert (standing(timed, FIRST), standing(timed, SECOND)) == ((0, 3_000, 0), (0, 10_000, 0))
    assert by_day(timed) == {FIRST: Decimal("0.003"), SECOND: Decimal("0.01")}
    assert timed.costs(["state", "reason"]).select("state", "reason", "usd").rows() == [
        ("found", "", Decimal("0.01")),
        ("unknown", "provider_error", Decimal("0.003")),
    ]
    assert_books_agree(timed)


@pytest.mark.parametrize("how", ["written off by the next owner", "abandoned", "settled as uncertain"])
def test_a_call_in_doubt_stands_against_the_day_that_reserved_it(timed: Ledger, clock: Clock, how: str) -> None:
    clock.time = LATE
    timed.claim([want("a.example")], "owner", lease=5)
    clock.pass_by(timedelta(seconds=20))
    if how == "written off by the next owner":
        assert timed.claim([want("a.example")], "another").uncertain == {want("a.example").key}
        timed.release([want("a.example").key], "another")
    elif how == "abandoned":
        timed.abandon([want("a.example").key], "owner")
    else:
        timed.settle([Settlement(want("a.example"), Reply("unknown", "provider_error"), clock.time, uncertain=True)], "owner")
    assert (standing(timed, FIRST), standing(timed, SECOND)) == ((0, 0, 10_000), (0, 0, 0))
    assert timed.costs(["day"]).select("day", "uncertain_calls", "uncertain_usd").rows() == [(FIRST, 1, Decimal("0.01"))]
    assert_books_agree(timed)


def test_an_answer_whose_claim_was_taken_over_counts_on_the_day_it_came(timed: Ledger, clock: Clock) -> None:
    clock.time = LATE
    one = want("a.example")
    timed.claim([one], "slow", lease=5)
    clock.pass_by(timedelta(seconds=20))
    timed.claim([one], "another")
    timed.settle([Settlement(one, Reply("found", body={}, cost_micros=10_000), clock.time)], "slow")
    assert (standing(timed, FIRST), standing(timed, SECOND)) == ((0, 0, 10_000), (10_000, 10_000, 0))
    assert_books_agree(timed)


@pytest.mark.parametrize(
    ("scope", "name", "other"),
    [("total", "", None), ("campaign", "spring", "fall"), ("provider", "pipe0", "apollo")],
)
@pytest.mark.parametrize("period", ["day", "all"])
def test_every_line_holds_alone(timed: Ledger, clock: Clock, scope: str, name: str, other: str | None, period: str) -> None:
    """Each of the six kinds of budget stops what it covers and nothing else; a daily one starts over, one for all time does not."""
    timed.set_budget(scope, 30_000, name=name, period=period)  # type: ignore[arg-type]

    def bought(prefix: str, **kwargs: str) -> int:
        things: Sequence[Want] = [want(f"{prefix}{number}.example", **kwargs) for number in range(5)]  # type: ignore[arg-type]
        return asyncio.run(buy(timed, things, Vendor(), batch_size=2)).bought

    assert bought("first") == 3
    assert bought("none") == 0
    if other is not None:
        assert bought("other", **{scope: other}) == 5
    clock.pass_by(timedelta(days=1))
    assert bought("tomorrow") == (3 if period == "day" else 0)
    assert_books_agree(timed)


def test_a_budget_for_each_of_two_campaigns_a_day_is_kept_by_one_purchase_of_both(timed: Ledger) -> None:
    timed.set_budget("campaign", 20_000, name="spring")
    timed.set_budget("campaign", 40_000, name="fall")
    things = [want(f"c{number}.example", campaign="spring" if number % 2 else "fall") for number in range(12)]
    result = asyncio.run(buy(timed, things, Vendor(), batch_size=12))
    paid = [answer.campaign_id for answer in result.answers.values() if answer.bought]
    assert (paid.count("spring"), paid.count("fall")) == (2, 4)
    assert {budget.name: budget.free_micros for budget in timed.budgets()} == {"spring": 0, "fall": 0}


def test_an_allowance_is_spent_to_the_last_and_no_further() -> None:
    allowance = Allowance(10)
    assert [allowance.take(price) for price in (6, 5, 4, 1, 0)] == [True, False, True, False, True]
    assert allowance.taken_micros == 10


def test_a_budget_that_says_nothing_or_less_than_nothing_is_refused(timed: Ledger) -> None:
    with pytest.raises(ValueError, match="the total takes no name"):
        timed.set_budget("total", 10_000, name="spring")
    with pytest.raises(ValueError, match="needs one"):
        timed.set_budget("campaign", 10_000)
    with pytest.raises(ValueError, match="cannot be negative"):
        timed.set_budget("total", -1)
    assert timed.budgets() == []
    timed.set_budget("total", 0)
    assert asyncio.run(buy(timed, [want("a.example")], Vendor())).missed == {"over_budget": 1}
    assert asyncio.run(buy(timed, [want("free.example", price=0)], Vendor(cost=0))).bought == 1


def test_a_budget_shows_what_counts_against_it_in_dollars(timed: Ledger) -> None:
    timed.set_budget("provider", 1_000_000, name="pipe0", period="all")
    asyncio.run(buy(timed, [want("spent.example", price=500_000)], Vendor(cost=400_000)))
    timed.claim([want("open.example", price=100_000), want("lost.example", price=30_000)], "owner")
    timed.abandon([want("lost.example").key], "owner")
    [row] = [budget.as_row() for budget in timed.budgets()]
    usd = {"limit_usd": "1", "spent_usd": "0.4", "reserved_usd": "0.1", "uncertain_usd": "0.03", "free_usd": "0.47"}
    assert row == {"scope": "provider", "name": "pipe0", "period": "all"} | {name: Decimal(amount) for name, amount in usd.items()}


def test_a_limit_is_changed_and_lifted_and_no_other_with_it(timed: Ledger) -> None:
    timed.set_budget("total", 10_000)
    timed.set_budget("total", 20_000, period="all")
    timed.set_budget("campaign", 30_000, name="a")
    timed.set_budget("total", 40_000)
    timed.set_budget("provider", 50_000, name="pipe0")
    assert [(each.scope, each.period, each.limit_micros) for each in timed.budgets()] == [
        ("total", "all", 20_000),
        ("total", "day", 40_000),
        ("provider", "day", 50_000),
        ("campaign", "day", 30_000),
    ]
    timed.set_budget("provider", None, name="pipe0")
    timed.set_budget("total", None)
    timed.set_budget("campaign", None, name="fall")
    assert [(each.scope, each.period) for each in timed.budgets()] == [("total", "all"), ("campaign", "day")]


OF_0001 = {
    *("calls", "heads", "claims", "budgets", "usage", "spend", "rate_windows", "circuits", "controls", "assignments", "suppressions"),
}
"""The tables of the first migration."""


def test_a_ledger_of_before_goes_on_with_its_calls_and_claims(url: str, clock: Clock) -> None:
    """A claim that an older release opened before midnight is settled by this one, for its day; the older calls keep the day they had."""
    clock.time = LATE
    ledger = Ledger(url, clock)
    asyncio.run(buy(ledger, [want("old.example")], Vendor()))
    ledger.claim([want("open.example")], "owner")
    lost = [ProviderError("pipe0", "pipe0.overview", "transient", "cut off", status=None)] * 9
    asyncio.run(buy(ledger, [want("lost.example", price=3)], Vendor(*lost)))
    before = ledger.costs(["day", "state", "reason"]).to_dicts()
    for statement in (
        "ALTER TABLE calls DROP COLUMN day",
        "ALTER TABLE circuits DROP COLUMN probing",
        *(f"DROP TABLE {name}" for name in metadata.tables if name not in OF_0001),
        f"UPDATE {database_module.VERSION_TABLE} SET version_num = '0001'",
    ):
        ledger._db.write(lambda tx, statement=statement: tx.connection.exec_driver_sql(statement))  # type: ignore[misc]
    ledger.close()

    clock.pass_by(timedelta(seconds=20))
    migrated = Ledger(url, clock)
    assert migrated.costs(["day", "state", "reason"]).to_dicts() == before
    assert {row["reason"] for row in before} > {"", "uncertain"}
    assert migrated.answers([want("old.example").key])[want("old.example").key].state == "found"
    migrated.settle([Settlement(want("open.example"), Reply("found", body={}, cost_micros=10_000), clock.time)], "owner")
    assert by_day(migrated) == {FIRST: Decimal("0.02")}
    days = migrated._db.read(lambda tx: tx.rows(sa.select(calls.c.subject, calls.c.day).order_by(calls.c.id)))
    assert dict(map(tuple, days)) == {"old.example": None, "lost.example": None, "open.example": FIRST}
    assert migrated._db.read(lambda tx: tx.rows(sa.select(claims))) == []
    migrated.close()

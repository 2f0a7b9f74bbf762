"""What buyers can rely on: each subject bought once, every want answered, every miss with its reason."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from lead_assets.core.errors import ProviderError
from lead_assets.ledger import Ledger, Rate, Reply, Retry, Want, buy, purchase
from lead_assets.ledger.database import from_us
from lead_assets.ledger.model import PASSING
from lead_assets.ledger.schema import claims
from lead_assets_tests.ledger.conftest import Clock
from lead_assets_tests.ledger.vendor import Vendor, want, wants


def transient(**kwargs: object) -> ProviderError:
    return ProviderError("pipe0", "overview", "transient", "provider_error", **{"status": 503, **kwargs})  # type: ignore[arg-type]


def error(kind: str, **kwargs: object) -> ProviderError:
    return ProviderError("pipe0", "overview", kind, kind, **kwargs)  # type: ignore[arg-type]


def buy_with(ledger: Ledger, clock: Clock, things: Sequence[Want], call: Vendor, **kwargs: object):  # type: ignore[no-untyped-def]
    return asyncio.run(buy(ledger, things, call, sleep=clock.sleep, **kwargs))  # type: ignore[arg-type]


def test_a_second_purchase_buys_nothing(ledger: Ledger) -> None:
    vendor = Vendor()
    first = purchase(ledger, [*wants(250), *wants(10)], vendor)
    second = purchase(ledger, wants(250), vendor)
    assert (first.subjects, first.bought, first.hits, first.cost_micros) == (250, 250, 0, 2_500_000)
    assert (second.subjects, second.bought, second.hits, second.cost_micros) == (250, 0, 250, 0)
    assert sorted(len(request) for request in vendor.requests) == [50, 100, 100]
    assert {key: answer.body for key, answer in first.answers.items()} == {key: answer.body for key, answer in second.answers.items()}
    assert {key: answer.answered_at for key, answer in first.answers.items()} == {k: a.answered_at for k, a in second.answers.items()}
    assert ledger.billed() == {"calls": 250, "usd": first.cost_usd, "uncertain_calls": 0}


def test_unless_told_otherwise_four_requests_are_under_way_and_a_claim_lasts_a_minute(timed: Ledger, clock: Clock) -> None:
    under_way: list[int] = []
    leases: set[timedelta] = set()
    active = 0

    async def call(batch: Sequence[Want]) -> list[Reply]:
        nonlocal active
        active += 1
        under_way.append(active)
        leases.update(from_us(until) - clock.time for (until,) in timed._db.read(lambda tx: tx.rows(sa.select(claims.c.lease_until))))
        await asyncio.sleep(0.01)
        active -= 1
        return [Reply("found", body={}) for _ in batch]

    purchase(timed, wants(20), call, batch_size=1)
    assert (max(under_way), leases) == (4, {timedelta(minutes=1)})


def test_bodies_come_back_as_they_went_in_however_odd(ledger: Ledger) -> None:
    odd = [None, [], {"n": 2**70}, {"lone": "\ud800"}, {"text": "ä日本" * 500}, "xylophone", [1.5, True, None]]

    async def call(batch: Sequence[Want]) -> list[Reply]:
        return [Reply("found", body=odd[int(one.subject)]) for one in batch]

    things = [want(str(number)) for number in range(len(odd))]
    bought = purchase(ledger, things, call)
    again = purchase(ledger, things, call)
    assert [again.answers[thing.key].body for thing in things] == odd
    assert [bought.answers[thing.key].body for thing in things] == odd
    assert again.hits == len(odd)


def test_answers_live_as_long_as_their_state_says(timed: Ledger, clock: Clock) -> None:
    class Mixed(Vendor):
        def reply(self, one: Want) -> Reply:
            return Reply({"a": "found", "b": "not_found", "c": "unknown"}[one.subject], reason="no_result")  # type: ignore[arg-type]

    vendor = Mixed()
    things = [want(name) for name in "abc"]
    for passed, expected in [
        (timedelta(0), ["a", "b", "c"]),
        (timedelta(minutes=4), []),
        (timedelta(minutes=2), ["c"]),
        (timedelta(days=31), ["b", "c"]),
        (timedelta(days=60), ["a", "b", "c"]),
    ]:
        clock.pass_by(passed)
        vendor.requests.clear()
        buy_with(timed, clock, things, vendor)
        assert [subject for request in vendor.requests for subject in request] == expected


def test_an_unknown_never_hides_what_was_found(timed: Ledger, clock: Clock) -> None:
    thing = want("acme.example")
    buy_with(timed, clock, [thing], Vendor())
    clock.pass_by(timedelta(days=91))
    down = Vendor(*[transient()] * 4)
    served = buy_with(timed, clock, [thing], down).answers[thing.key]
    assert (served.state, served.stale, served.body) == ("found", True, {"name": "acme.example"})
    odd = Vendor(*[error("contract")] * 2)
    within_minutes = [buy_with(timed, clock, [thing], odd).answers[thing.key] for _ in range(2)]
    assert [(answer.state, answer.stale) for answer in within_minutes] == [("found", True)] * 2
    assert len(odd.requests) == 2
    clock.pass_by(timedelta(minutes=6))
    recovered = buy_with(timed, clock, [thing], odd)
    assert (recovered.bought, recovered.stale) == (1, 0)
    assert recovered.answers[thing.key].answered_at == clock.time


@pytest.mark.parametrize("kind", ["transient", "rate_limited", "timeout"])
def test_what_was_missed_for_a_passing_reason_is_asked_again_at_once(timed: Ledger, clock: Clock, kind: str) -> None:
    missed = ProviderError("pipe0", "overview", "transient", "timeout", status=504) if kind == "timeout" else error(kind)
    vendor = Vendor(*[missed] * 4)
    (answer,) = buy_with(timed, clock, [want("a")], vendor).answers.values()
    assert (answer.state, answer.reason in PASSING, len(vendor.requests)) == ("unknown", True, 4)
    assert timed.histories([want("a").key])[want("a").key].unknown is not None, "it is journaled"
    again = buy_with(timed, clock, [want("a")], vendor)
    assert (again.bought, len(vendor.requests)) == (1, 5)


def test_a_bad_answer_is_asked_again_after_minutes(timed: Ledger, clock: Clock) -> None:
    """It may have been billed."""
    vendor = Vendor(*[error("contract")] * 2)
    assert [buy_with(timed, clock, [want("a")], vendor).missed for _ in range(2)] == [{"bad_answer": 1}] * 2
    assert len(vendor.requests) == 2
    clock.pass_by(timedelta(minutes=6))
    assert buy_with(timed, clock, [want("a")], vendor).bought == 1


def test_transient_failures_are_tried_again_with_growing_pauses(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(transient(), transient(), transient())
    result = buy_with(timed, clock, wants(3), vendor, retry=Retry(draw=lambda: 1.0))
    assert result.bought == 3
    assert clock.slept == [0.5, 1.0, 2.0]
    assert result.uncertain == 0


def test_a_pause_grows_to_half_a_minute_and_no_further(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(*[transient()] * 8)
    buy_with(timed, clock, wants(1), vendor, retry=Retry(attempts=8, draw=lambda: 1.0))
    assert clock.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]


def test_a_failure_to_the_last_attempt_is_unknown_with_its_reason_and_costs_nothing(timed: Ledger, clock: Clock) -> None:
    result = buy_with(timed, clock, wants(3), Vendor(*[transient()] * 4))
    assert result.missed == {"provider_error": 3}
    assert {answer.state for answer in result.answers.values()} == {"unknown"}
    assert timed.billed()["calls"] == 0


def test_retry_after_is_honoured_and_holds_everybody_who_uses_the_key(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(error("rate_limited", status=429, retry_after=17.0))
    began = clock.time
    result = buy_with(timed, clock, wants(1), vendor)
    assert result.bought == 1
    assert clock.time - began == timedelta(seconds=17)
    timed.penalise("pipe0", clock.time + timedelta(seconds=5))
    before = clock.time
    buy_with(timed, clock, [want("other.example")], vendor)
    assert clock.time - before == timedelta(seconds=5)


def test_a_retry_after_of_an_hour_is_a_miss_and_not_a_wait(timed: Ledger, clock: Clock) -> None:
    result = buy_with(timed, clock, wants(2), Vendor(error("rate_limited", status=429, retry_after=3600.0)))
    assert result.missed == {"rate_limited": 2}
    assert clock.slept == []


@pytest.mark.parametrize("kind", ["auth", "quota"])
def test_a_refused_credential_or_used_up_quota_stops_the_provider_and_only_it(timed: Ledger, clock: Clock, kind: str) -> None:
    vendor = Vendor(error(kind, status=401))
    things = [*wants(30), *wants(5, provider="apollo")]
    result = buy_with(timed, clock, things, vendor, batch_size=10, concurrency=1)
    assert result.missed == {kind: 30}
    assert result.bought == 5
    assert len(vendor.requests) == 2
    # The key was mended: nothing stands in the way of asking again at once.
    assert buy_with(timed, clock, wants(30), vendor).bought == 30


def test_a_batch_that_can_never_succeed_is_split_to_find_the_bad_subject(timed: Ledger, clock: Clock) -> None:
    class Picky(Vendor):
        async def __call__(self, batch: Sequence[Want]) -> list[Reply]:
            if any(one.subject in ("c3.example", "c17.example") for one in batch):
                self.requests.append([])
                raise error("permanent", status=422)
            return await super().__call__(batch)

    vendor = Picky()
    result = buy_with(timed, clock, wants(20), vendor)
    assert (result.bought, result.missed) == (18, {"provider_error": 2})
    assert set(vendor.asked.values()) == {1}
    assert timed.billed() == {"calls": 18, "usd": result.cost_usd, "uncertain_calls": 0}


def test_a_person_who_asked_to_be_left_alone_is_not_asked_about_again(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(error("suppressed", status=451))
    result = buy_with(timed, clock, [want("someone")], vendor)
    assert [(answer.state, answer.reason) for answer in result.answers.values()] == [("not_found", "suppressed")]
    clock.pass_by(timedelta(days=1))
    assert buy_with(timed, clock, [want("someone")], vendor).hits == 1


def test_an_answer_that_is_none_is_asked_once_more_and_is_then_bad_answer(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(*[error("contract", status=200)] * 2)
    result = buy_with(timed, clock, wants(2), vendor)
    assert result.missed == {"bad_answer": 2}
    assert len(vendor.requests) == 2
    # A 200 that nobody can read may well be on the bill.
    assert result.uncertain == timed.billed()["uncertain_calls"] == 4


def test_a_dropped_connection_is_uncertain_and_counts_against_the_budget(timed: Ledger, clock: Clock) -> None:
    timed.set_budget("total", 25_000)
    vendor = Vendor(error("transient", status=None), error("transient", status=None))
    result = buy_with(timed, clock, wants(1), vendor)
    assert len(vendor.requests) == 2  # a third could have cost more than the budget holds
    assert result.missed == {"over_budget": 1}
    assert timed.billed() == {"calls": 0, "usd": 0, "uncertain_calls": 2}
    [budget] = timed.budgets()
    assert (budget.uncertain_micros, budget.reserved_micros, budget.free_micros) == (20_000, 0, 5_000)


def test_a_request_that_never_left_is_neither_billed_nor_journaled(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(*[error("transient", sent=False)] * 4)
    result = buy_with(timed, clock, wants(2), vendor)
    assert result.missed == {"provider_error": 2}
    assert timed.billed()["uncertain_calls"] == 0
    assert buy_with(timed, clock, wants(2), vendor).bought == 2


def test_work_that_the_vendor_goes_on_with_is_fetched_by_its_id_and_never_sent_again(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(error("transient", status=408, vendor_ref="run-7"))
    fetched: list[str] = []

    async def take_up(batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        fetched.append(vendor_ref)
        if len(fetched) == 1:
            raise transient()
        return [vendor.reply(one) for one in batch]

    result = buy_with(timed, clock, wants(2), vendor, take_up=take_up)
    assert (result.bought, len(vendor.requests), fetched) == (2, 1, ["run-7", "run-7"])
    assert {answer.vendor_ref for answer in timed.answers(result.answers).values()} == {"run-7"}


def test_a_circuit_opens_probes_and_closes_and_leaves_others_alone(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(*[transient()] * 9)
    buy_with(timed, clock, [want("a")], vendor)
    buy_with(timed, clock, [want("b")], vendor)  # eight failures in a row
    refused = buy_with(timed, clock, [want("c")], vendor)
    assert (len(vendor.requests), refused.missed) == (8, {"provider_error": 1})
    assert buy_with(timed, clock, [want("c", provider="hunter")], Vendor()).bought == 1
    clock.pass_by(timedelta(seconds=20))
    buy_with(timed, clock, [want("c")], vendor)  # the probe fails: no second attempt, and twice the time
    assert len(vendor.requests) == 9
    clock.pass_by(timedelta(seconds=20))
    buy_with(timed, clock, [want("d")], vendor)
    assert len(vendor.requests) == 9
    clock.pass_by(timedelta(seconds=20))
    assert buy_with(timed, clock, [want("d")], vendor).bought == 1
    assert buy_with(timed, clock, [want("e"), want("f")], vendor, batch_size=1).bought == 2


def test_while_one_batch_probes_a_circuit_nobody_else_is_let_through(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(*[transient()] * 8)
    for subject in ("a", "b"):
        buy_with(timed, clock, [want(subject)], vendor)
    clock.pass_by(timedelta(seconds=20))
    probe, other = timed.claim([want("c")], "one"), timed.claim([want("d")], "other")
    assert (len(probe.granted), list(other.refused.values())) == (1, ["provider_error"])


def test_calls_that_were_under_way_when_a_circuit_opened_do_not_keep_it_open_for_longer(timed: Ledger, clock: Clock) -> None:
    once = Retry(attempts=1)
    vendor = Vendor(*[transient()] * 40, delay=0.01)
    buy_with(timed, clock, wants(20), vendor, batch_size=1, concurrency=20, retry=once)
    assert len(vendor.requests) > 8, "or none was under way"
    (circuit,) = timed.circuits()
    assert (circuit.provider, circuit.open_until) == ("pipe0", clock.time + timedelta(seconds=15))
    for seconds in (30, 60, 120, 240, 480, 600, 600):
        clock.pass_by(timedelta(seconds=600))
        buy_with(timed, clock, wants(20), Vendor(*[transient()] * 40, delay=0.01), batch_size=1, concurrency=20, retry=once)
        assert timed.circuits()[0].open_until == clock.time + timedelta(seconds=seconds)
    clock.pass_by(timedelta(seconds=600))
    assert buy_with(timed, clock, wants(20), Vendor()).bought == 20
    assert (
        buy_with(timed, clock, wants(20, provider="apollo"), Vendor(*[transient()] * 7), batch_size=1, retry=Retry(attempts=8)).bought == 20
    )
    assert timed.circuits() == []


@pytest.mark.parametrize("provider", ["pipe0", None])
def test_a_person_who_knows_that_a_provider_is_back_closes_its_circuit(timed: Ledger, clock: Clock, provider: str | None) -> None:
    vendor = Vendor(*[transient()] * 8)
    buy_with(timed, clock, wants(2), vendor, batch_size=1)
    timed.pause("hunter")
    timed.resume("apollo")
    assert [circuit.provider for circuit in timed.circuits()] == ["pipe0"]
    assert buy_with(timed, clock, wants(2), vendor).missed == {"provider_error": 2}
    timed.resume(provider)
    assert (timed.circuits(), timed.paused()) == ([], {"hunter"} if provider else set())
    assert buy_with(timed, clock, wants(2), vendor).bought == 2


def test_the_kill_switch_stops_new_calls_and_serves_what_is_there(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor()
    buy_with(timed, clock, wants(2), vendor)
    timed.pause()
    stopped = buy_with(timed, clock, wants(5), vendor)
    assert (stopped.hits, stopped.missed, len(vendor.requests)) == (2, {"paused": 3}, 1)
    timed.resume()
    timed.pause("apollo")
    mixed = buy_with(timed, clock, [*wants(5), *wants(2, provider="apollo")], vendor)
    assert (mixed.bought, mixed.missed) == (3, {"paused": 2})


def test_requests_keep_to_the_rate_in_any_window(timed: Ledger, clock: Clock) -> None:
    sent: list[float] = []

    class Noting(Vendor):
        async def __call__(self, batch: Sequence[Want]) -> list[Reply]:
            sent.append(clock.time.timestamp())
            return await super().__call__(batch)

    rates = [Rate(10, 1.0), Rate(20, 60.0, burst=10)]
    buy_with(timed, clock, wants(30), Noting(), batch_size=1, concurrency=1, rates=rates, retry=Retry(patience=600.0))
    assert len(sent) == 30
    for rate in rates:
        assert max(sum(begin <= moment < begin + rate.per for moment in sent) for begin in sent) <= rate.limit
    # Ten at once as the long window allows, at the pace of the short one; not spread over the minute.
    assert sent[9] - sent[0] < 2.0


def test_a_fault_in_the_program_is_raised_and_leaves_no_claim(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Vendor):
        async def __call__(self, batch: Sequence[Want]) -> list[Reply]:
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        purchase(ledger, wants(30), Broken(), batch_size=10)
    gc.collect()
    assert "never retrieved" not in caplog.text, "all requests failed, and one failure is told"
    done = purchase(ledger, wants(30), Vendor())
    assert done.bought == 30
    assert ledger.billed()["uncertain_calls"] > 0


class Failing(Vendor):
    """Answers each want by itself: the first answers to a subject are the errors given for it."""

    def __init__(self, **errors: list[ProviderError]) -> None:
        super().__init__()
        self.by_subject = errors

    async def __call__(self, batch: Sequence[Want]) -> list[Reply | ProviderError]:  # type: ignore[override]
        self.requests.append([one.subject for one in batch])
        self.asked.update(one.subject for one in batch)
        return [self.by_subject[one.subject].pop(0) if self.by_subject.get(one.subject) else self.reply(one) for one in batch]


def test_one_want_may_fail_without_the_others_of_its_request(timed: Ledger, clock: Clock) -> None:
    vendor = Failing(
        down=[transient()],
        bad=[error("permanent", status=422)],
        gone=[error("suppressed", status=451)],
        dropped=[error("transient", status=None)],
        never=[transient() for _ in range(9)],
    )
    things = [want(name) for name in ("fine", "down", "bad", "gone", "dropped", "never")]
    result = buy_with(timed, clock, things, vendor)
    states = {each.subject: (result.answers[each.key].state, result.answers[each.key].reason) for each in things}
    assert states == {
        "fine": ("found", None),
        "down": ("found", None),
        "bad": ("unknown", "provider_error"),
        "gone": ("not_found", "suppressed"),
        "dropped": ("found", None),
        "never": ("unknown", "provider_error"),
    }
    # Only what failed and may pass was asked again.
    assert dict(vendor.asked) == {"fine": 1, "bad": 1, "gone": 1, "down": 2, "dropped": 2, "never": 4}
    assert timed.billed() == {"calls": 3, "usd": result.cost_usd, "uncertain_calls": 1}


def test_work_that_one_want_of_a_request_began_is_fetched_by_its_id(timed: Ledger, clock: Clock) -> None:
    vendor = Failing(slow=[error("transient", status=408, vendor_ref="run-9")])

    async def take_up(batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        assert ([one.subject for one in batch], vendor_ref) == (["slow"], "run-9")
        return [vendor.reply(one) for one in batch]

    result = buy_with(timed, clock, [want("fine"), want("slow")], vendor, take_up=take_up)
    assert (result.bought, dict(vendor.asked)) == (2, {"fine": 1, "slow": 1})


def test_failures_of_one_request_that_differ_are_not_taken_for_one(timed: Ledger, clock: Clock) -> None:
    vendor = Failing(
        unkeyed=[ProviderError("pipe0", "overview", "permanent", "no_key", status=422)],
        skipped=[ProviderError("pipe0", "overview", "permanent", "skipped", status=422)],
        slow=[error("transient", status=408, vendor_ref="run-1")],
        slower=[error("transient", status=408, vendor_ref="run-2")],
    )
    fetched: dict[str, list[str]] = {}

    async def take_up(batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        fetched[vendor_ref] = [one.subject for one in batch]
        return [vendor.reply(one) for one in batch]

    things = [want(name) for name in ("unkeyed", "skipped", "slow", "slower")]
    result = buy_with(timed, clock, things, vendor, take_up=take_up)
    assert [result.answers[thing.key].reason for thing in things] == ["no_key", "skipped", None, None]
    assert fetched == {"run-1": ["slow"], "run-2": ["slower"]}


def test_work_that_the_vendor_does_not_finish_in_time_is_a_timeout(timed: Ledger, clock: Clock) -> None:
    async def take_up(batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        raise transient()

    result = buy_with(timed, clock, wants(2), Vendor(error("transient", status=408, vendor_ref="run-7")), take_up=take_up)
    assert result.missed == {"timeout": 2}


def test_a_vendor_that_forgets_its_work_is_asked_anew_once_and_not_without_end(timed: Ledger, clock: Clock) -> None:
    vendor = Vendor(*[error("transient", status=408, vendor_ref=f"run-{number}") for number in range(50)])

    async def forgotten(batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        raise error("permanent", status=404)

    result = buy_with(timed, clock, wants(2), vendor, take_up=forgotten)
    assert (len(vendor.requests), result.missed) == (2, {"provider_error": 2})
    # Both times the work was begun and may be billed.
    assert timed.billed()["uncertain_calls"] == result.uncertain == 4


def test_a_vendor_that_gives_ever_new_ids_is_left_for_later(timed: Ledger, clock: Clock) -> None:
    fetched: list[str] = []

    async def moved(batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        fetched.append(vendor_ref)
        raise error("transient", status=408, vendor_ref=f"{vendor_ref}x")

    result = buy_with(timed, clock, wants(1), Vendor(error("transient", status=408, vendor_ref="run")), take_up=moved)
    assert result.missed == {"timeout": 1}
    assert len(fetched) < 10
    # It is still in progress there: the next purchase fetches it by the newest id.
    vendor = Vendor()

    async def done(batch: Sequence[Want], vendor_ref: str) -> list[Reply]:
        assert vendor_ref == fetched[-1] + "x"
        return [vendor.reply(one) for one in batch]

    assert buy_with(timed, clock, wants(1), vendor, take_up=done).bought == 1
    assert vendor.requests == []


def test_calls_made_singly_share_their_transactions(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    transactions = 0
    write = ledger._db.write

    def counted(work):  # type: ignore[no-untyped-def]
        nonlocal transactions
        transactions += 1
        return write(work)

    monkeypatch.setattr(ledger._db, "write", counted)
    vendor = Vendor(delay=0.01)
    assert purchase(ledger, wants(96), vendor, batch_size=1, concurrency=16).bought == 96
    assert len(vendor.requests) == 96
    assert transactions < 96  # by two a call they would be 192
    assert ledger.billed()["calls"] == 96


def test_an_answer_that_came_is_journaled_even_if_the_purchase_is_cancelled_then(ledger: Ledger) -> None:
    async def cancelled() -> None:
        vendor = Vendor()
        task = asyncio.create_task(buy(ledger, wants(40), vendor, batch_size=1, concurrency=16))
        while len(vendor.asked) < 16:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(cancelled())
    assert ledger.billed() == {"calls": 16, "usd": ledger.billed()["usd"], "uncertain_calls": 0}
    assert purchase(ledger, wants(40), Vendor()).bought == 24


def test_a_request_that_fails_for_several_purchases_is_one_failure(timed: Ledger, clock: Clock) -> None:
    """pipe0's requests serve up to four signals at once: two that failed once opened the circuit."""

    async def together(number: int) -> None:
        failed = transient()
        purchases = (
            buy(timed, [want(f"{number}", operation=name)], Vendor(told), retry=Retry(attempts=1), sleep=clock.sleep)
            for name, told in {"overview": failed, "funding": failed.for_another(), "news": failed.for_another()}.items()
        )
        await asyncio.gather(*purchases)

    for number in range(7):
        asyncio.run(together(number))
    assert timed.circuits() == []
    asyncio.run(together(7))
    assert [circuit.provider for circuit in timed.circuits()] == ["pipe0"]

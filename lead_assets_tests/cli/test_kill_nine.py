"""Killed processes, and processes that want the same answers: the small version of benchmarks/kill_nine.py."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from benchmarks import kill_nine
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger
from lead_assets.sandbox import Handle

pytestmark = pytest.mark.slow

HUNTERS_AT_ONCE = 6
"""`concurrency` in rules/signals.yaml."""


def test_killed_while_a_vendor_is_asked_and_resumed_every_lead_is_enriched_and_the_ledger_agrees_with_the_meter(
    home: Path, sandbox: Handle
) -> None:
    kill_nine.fill(home, 16)
    for provider in ("pipe0", "hunter", "anthropic"):
        # Its answers wait for longer than the process has to live.
        sandbox.set_fault(provider, "latency", latency_ms=20_000)
        asked = len(sandbox.requests(provider))
        life = kill_nine.begin(home, sandbox.url)
        wait_for_a_request(sandbox, provider, asked)
        life.kill()
        life.wait()
        sandbox.clear_faults()
    said = kill_nine.verdict(home, sandbox, 16, live(home, sandbox))
    assert said["uncertain_calls"] > 0, "no kill hit a call: the test shows nothing"
    assert said["ok"], said


def live(home: Path, sandbox: Handle, campaign: str = kill_nine.CAMPAIGN) -> dict[str, int]:
    """A life in this process."""
    return kill_nine.live(Settings(home=home, sandbox_url=sandbox.url, rules_dir=home / "rules"), campaign)


def wait_for_a_request(sandbox: Handle, provider: str, asked: int) -> None:
    give_up = time.monotonic() + 60
    while len(sandbox.requests(provider)) == asked:
        assert time.monotonic() < give_up, f"{provider} was never asked"
        time.sleep(0.02)


def test_two_processes_enriching_campaigns_of_the_same_companies_buy_each_once(home: Path, sandbox: Handle) -> None:
    kill_nine.fill(home, 8, "spring")
    kill_nine.fill(home, 12, "fall")  # the same eight people and four others
    sandbox.set_fault("pipe0", "latency", latency_ms=200)
    other = kill_nine.begin(home, sandbox.url, "spring")
    live(home, sandbox, "fall")
    assert other.wait(120) == 0
    times = {subject: n for operation in sandbox.subjects("pipe0").values() for subject, n in operation.items()}
    assert len(times) == 6
    assert set(times.values()) == {1}
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    assert ledger.billed()["calls"] == sum(sandbox.billed(service) for service in sandbox.meter())
    ledger.close()


def test_a_pause_stops_new_calls_in_every_process(home: Path, sandbox: Handle) -> None:
    kill_nine.fill(home, 30, "spring")
    kill_nine.fill(home, 60, "fall")  # the same people and as many others
    sandbox.set_fault("hunter", "latency", latency_ms=500)
    lives = [kill_nine.begin(home, sandbox.url, campaign) for campaign in ("spring", "fall")]
    wait_for_a_request(sandbox, "hunter", 0)
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    ledger.pause(None)
    asked = len(sandbox.requests("hunter"))
    assert [life.wait(120) for life in lives] == [0, 0], "they go on with what they have"
    # What was reserved before the pause may still leave: at most what each process has on its way at once.
    assert len(sandbox.requests("hunter")) - asked <= 2 * HUNTERS_AT_ONCE
    assert sandbox.requests("anthropic") == []
    ledger.resume()
    assert live(home, sandbox, "fall")["enriched"] == 60
    times = {subject: n for operation in sandbox.subjects("hunter").values() for subject, n in operation.items()}
    assert set(times.values()) == {1}
    ledger.close()

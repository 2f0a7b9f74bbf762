"""Processes that are killed, and processes that want the same: the small version of benchmarks/kill_nine.py."""

from __future__ import annotations

from pathlib import Path

from benchmarks import kill_nine
from lead_assets.ledger import Ledger
from lead_assets.sandbox import Handle


def test_killed_at_random_moments_and_resumed_every_lead_is_enriched_and_the_ledger_agrees_with_the_meter(
    home: Path, sandbox: Handle
) -> None:
    for provider in ("pipe0", "apollo", "hunter", "anthropic"):
        sandbox.set_fault(provider, "latency", latency_ms=80)
    said = kill_nine.rehearse(home, sandbox, leads=40, kills=3, seed=7)
    assert said["kills"] == 3
    assert said["uncertain_calls"] > 0, "no kill hit a call: the test shows nothing"
    assert said["ok"], said


def test_two_processes_enriching_campaigns_of_the_same_companies_buy_each_once(home: Path, sandbox: Handle) -> None:
    kill_nine.fill(home, 40, "spring")
    kill_nine.fill(home, 60, "fall")  # the same forty people and twenty others
    sandbox.set_fault("pipe0", "latency", latency_ms=200)
    lives = [kill_nine.begin(home, sandbox.url, campaign) for campaign in ("spring", "fall")]
    assert [life.wait(120) for life in lives] == [0, 0]
    times = {subject: n for operation in sandbox.subjects("pipe0").values() for subject, n in operation.items()}
    assert len(times) == 30
    assert set(times.values()) == {1}
    ledger = Ledger(f"sqlite:///{home / 'ledger.sqlite'}")
    assert ledger.billed()["calls"] == sum(sandbox.billed(service) for service in sandbox.meter())
    ledger.close()

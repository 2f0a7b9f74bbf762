"""The verdict on what is known of a campaign, and mistakes in the two rules files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings
from lead_assets.operating.freshness import CampaignSeen, judge
from lead_assets.operating.rules import FreshnessRules, load_alerts, load_freshness

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
REFRESH = {"refresh": {"usd_per_day": 5, "campaigns_at_once": 5}}
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RULES = FreshnessRules.model_validate(
    {"active_for": "30d", "expect": {"drops_routed_within": "10m", "signals_expired_within": "7d"}, **REFRESH}
)


def test_answers_that_have_expired_for_long_are_not_fresh() -> None:
    seen = CampaignSeen("c", NOON, signals_until=NOON + DAY)
    assert judge(seen, RULES, NOON + 8 * DAY - MINUTE).state == "fresh"
    stale = judge(seen, RULES, NOON + 8 * DAY)
    assert (stale.state, stale.why) == ("stale", ("answers of providers have expired since 2026-11-03 12:00 UTC",))
    both = judge(CampaignSeen("c", NOON, waiting_since=NOON, behind="scoring.scores", signals_until=NOON - 30 * DAY), RULES, NOON + DAY)
    assert (len(both.why), both.since) == (2, NOON - 23 * DAY)


def test_what_a_rules_file_may_not_say(tmp_path: Path) -> None:
    (tmp_path / "freshness.yaml").write_text(
        "active_for: 30d\nexpect: {drops_routed_within: soon, signals_expired_within: 7d}\ncampaigns: {Trade Fair: {drops_routed_within: never}}\n"
    )
    with pytest.raises(RulesError, match=r"line 2: a duration is a whole number and a unit") as raised:
        load_freshness(Settings(rules_dir=tmp_path, env_file=None))  # type: ignore[call-arg]
    assert "expect" in str(raised.value)


def test_an_alert_goes_to_a_channel_that_there_is(tmp_path: Path) -> None:
    shipped = (Path(load_alerts.__code__.co_filename).parents[1] / "rules" / "alerts.yaml").read_text()
    (tmp_path / "alerts.yaml").write_text(shipped.replace("circuit_open: {to: [ops]}", "circuit_open: {to: [oops]}"))
    with pytest.raises(RulesError, match=r"unknown channel 'oops'.*did you mean ops|unknown channel 'oops'"):
        load_alerts(Settings(rules_dir=tmp_path, env_file=None))  # type: ignore[call-arg]
    (tmp_path / "alerts.yaml").write_text(shipped.replace('{slack: "#lead-ops"}', '{slack: "#lead-ops", email: [a@b.example]}'))
    with pytest.raises(RulesError, match="give exactly one of slack, email and webhook"):
        load_alerts(Settings(rules_dir=tmp_path, env_file=None))  # type: ignore[call-arg]

"""rules/freshness.yaml, what is expected of a campaign; and rules/alerts.yaml, who is told when something is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, EmailStr, Field, model_validator

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.core.time_spans import duration

Kind = Literal["run_failed", "check_failed", "check_warned", "budget_used", "circuit_open", "quarantine_rate", "campaign_stale"]


def _span_or_never(value: Any) -> timedelta | None:
    return None if value == "never" else duration(value)


Within = Annotated[timedelta | None, BeforeValidator(_span_or_never)]
"""A duration, or "never" for what nobody expects."""


class Expectation(Declared):
    drops_routed_within: Within
    """Time from the receipt of a drop until each of its leads has an owner, is a duplicate, or is kept out."""
    signals_expired_within: Within
    """How long answers of providers may be shown after their lifetime (rules/signals.yaml) has ended."""


class OfCampaign(Declared):
    drops_routed_within: Within = Field(None)
    signals_expired_within: Within = Field(None)


class Refresh(Declared):
    usd_per_day: float = Field(ge=0)
    """Most that a day's refreshes may be expected to cost, by `lead-assets estimate`."""
    campaigns_at_once: int = Field(ge=1)


class FreshnessRules(Declared):
    active_for: Annotated[timedelta, BeforeValidator(duration)]
    """A campaign is active until this long after its last drop. Nothing is expected of the others."""
    expect: Expectation
    refresh: Refresh
    campaigns: dict[str, OfCampaign] = {}

    def of(self, campaign_id: str) -> Expectation:
        own = self.campaigns.get(campaign_id)
        if own is None:
            return self.expect
        return self.expect.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})


def _freshness_mistakes(rules: FreshnessRules) -> Iterable[Mistake]:
    for name in rules.campaigns:
        if campaign_key(name) != name:
            yield Mistake(("campaigns", name), f"'{name}' is no campaign's key: write '{campaign_key(name)}'")


class Channel(Declared):
    """Where alerts go: exactly one of the three."""

    slack: str | None = Field(None, min_length=1)
    """Channel name or id. Needs SLACK_BOT_TOKEN."""
    email: tuple[EmailStr, ...] | None = Field(None, min_length=1)
    """Addresses. Needs LEAD_ASSETS_SMTP_URL."""
    webhook: str | None = Field(None, pattern=r"^[A-Z][A-Z0-9_]*$")
    """Environment variable that holds the URL, because whoever knows the URL can post to it. <variable>_SECRET signs the requests, if set."""

    @model_validator(mode="after")
    def _one_place(self) -> Channel:
        if len(self.model_fields_set & {"slack", "email", "webhook"}) != 1:
            raise ValueError("give exactly one of slack, email and webhook")
        return self


class Alert(Declared):
    to: tuple[str, ...]
    """Names of channels; none: the incident is only listed."""


class BudgetAlert(Alert):
    at: float = Field(gt=0, le=1)
    """Share of the limit."""


class QuarantineAlert(Alert):
    above: float = Field(gt=0, lt=1)
    """Share of a campaign's judged leads."""
    of_at_least: int = Field(ge=1)
    """Judged leads below which a share says little."""


class Alerts(Declared):
    run_failed: Alert
    check_failed: Alert
    check_warned: Alert
    budget_used: BudgetAlert
    circuit_open: Alert
    quarantine_rate: QuarantineAlert
    campaign_stale: Alert


class AlertRules(Declared):
    channels: dict[str, Channel]
    alerts: Alerts

    def to(self, kind: Kind) -> tuple[str, ...]:
        alert: Alert = getattr(self.alerts, kind)
        return alert.to


def _alert_mistakes(rules: AlertRules) -> Iterable[Mistake]:
    for kind in Alerts.model_fields:
        alert: Alert = getattr(rules.alerts, kind)
        for number, name in enumerate(alert.to):
            if name not in rules.channels:
                near = nearest(name, rules.channels)
                yield Mistake(("alerts", kind, "to", number), f"unknown channel '{name}'{near}: declare it under channels, or remove it")


FRESHNESS = RulesFile(
    "freshness.yaml",
    FreshnessRules,
    mistakes=_freshness_mistakes,
    summary=lambda rules: f"{len(rules.campaigns)} campaigns with expectations of their own",
    parts={"campaigns": "campaign"},
)
ALERTS = RulesFile(
    "alerts.yaml",
    AlertRules,
    mistakes=_alert_mistakes,
    summary=lambda rules: f"{len(rules.channels)} channels",
    parts={"channels": "channel", "alerts": "alert"},
)


def load_freshness(settings: Settings) -> FreshnessRules:
    """What is expected of campaigns. Raises RulesError."""
    return FRESHNESS.load(settings)


def load_alerts(settings: Settings) -> AlertRules:
    """Who is told of what. Raises RulesError."""
    return ALERTS.load(settings)

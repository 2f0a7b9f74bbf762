"""Turns campaigns from the campaign API into drops: one NDJSON file of leads per campaign, unchanged, in the landing zone.

From there the drop sensor takes over, so that leads from an API go the same way as leads in a file. Does not belong here: the vendor's wire format
(see `lead_assets.vendors.aturiya.client`) or the meaning of a lead's fields (see `adapters`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import orjson

from lead_assets.core.campaign_keys import campaign_key
from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.intake.landing import day_folder, landing_of
from lead_assets.stores.archive import Archive
from lead_assets.vendors.aturiya import VENDOR
from lead_assets.vendors.aturiya.client import Aturiya

_ATTEMPTS = 4
_LONGEST_WAIT = 60.0

_Answer = TypeVar("_Answer")


@dataclass
class Synced:
    """The result of a sync. `dropped`: files written, as paths below the landing zone; `unchanged`: campaigns whose leads had all arrived before."""

    campaigns: int = 0
    leads: int = 0
    dropped: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    """Campaign key → why its leads could not be fetched; other campaigns continued."""

    def metadata(self) -> dict[str, int | str]:
        return {
            "campaigns": self.campaigns,
            "leads": self.leads,
            "dropped": len(self.dropped),
            "unchanged": len(self.unchanged),
            "empty": len(self.empty),
            "failures": "; ".join(f"{key}: {reason}" for key, reason in sorted(self.failures.items())),
        }


def sync(settings: Settings, archive: Archive, *, first_wait: float = 1.0) -> Synced:
    """Fetch all leads of all campaigns, and write a drop for each campaign whose leads changed. Running it again writes nothing.

    Raises ValueError if a credential is missing, ProviderError if the campaigns cannot be listed. `first_wait`: seconds before the first retry.
    """
    return asyncio.run(_sync(settings, archive, first_wait))


async def _sync(settings: Settings, archive: Archive, first_wait: float) -> Synced:
    synced = Synced()
    landing, now = landing_of(settings), datetime.now(UTC)
    # Include yesterday: a drop from before midnight may not have been taken yet.
    days = [day_folder(now - timedelta(days=back)) for back in range(2)]
    async with _client(settings) as client:
        for campaign in await _patiently(client.campaigns, first_wait):
            synced.campaigns += 1
            try:
                key = campaign_key(campaign.id)
            except ValueError:
                synced.failures["(campaign without an id)"] = (
                    "the campaign API returned a campaign without an id: its leads were not fetched"
                )
                continue
            try:
                lines = await _leads(client, campaign.id, first_wait)
            except ProviderError as error:
                synced.failures[key] = str(error)
                continue
            synced.leads += len(lines)
            if not lines:
                synced.empty.append(key)
                continue
            data = b"\n".join(lines) + b"\n"
            file = f"{key}/aturiya-{hashlib.sha256(data).hexdigest()[:16]}.ndjson"
            if archive.holds(data) or any(landing.holds(day + file) for day in days):
                synced.unchanged.append(key)
                continue
            landing.put(days[0] + file, data)
            synced.dropped.append(days[0] + file)
    return synced


def _client(settings: Settings) -> Aturiya:
    token = VENDOR.key(settings)
    user, agent = settings.aturiya_user_id, settings.aturiya_agent_id
    if settings.world == "sandbox":
        user, agent = user or "demo", agent or "demo"
    if token is None or not user or not agent:
        raise ValueError(
            "the campaign API needs ATURIYA_BEARER_TOKEN, ATURIYA_USER_ID and ATURIYA_AGENT_ID: set them, or LEAD_ASSETS_SANDBOX_URL to use the sandbox"
        )
    return Aturiya(VENDOR.url(settings), token, user_id=user, agent_id=agent)


async def _leads(client: Aturiya, campaign_id: str, first_wait: float) -> list[bytes]:
    """All leads of a campaign, one JSON text each, sorted, so that equal leads give equal bytes in whatever order the vendor returns them."""
    lines: set[bytes] = set()
    page, more = 1, True
    while more:
        answer = await _patiently(partial(client.leads_page, campaign_id, page), first_wait)
        lines.update(orjson.dumps(lead, option=orjson.OPT_SORT_KEYS) for lead in answer.data)
        more = answer.has_next(page)
        page += 1
    return sorted(lines)


async def _patiently(call: Callable[[], Awaitable[_Answer]], first_wait: float) -> _Answer:
    """The call's answer; temporary failures are retried after the wait the vendor asks for, or with exponential backoff."""
    import stamina

    def worth_another(error: Exception) -> bool | float:
        if not isinstance(error, ProviderError) or error.kind not in ("transient", "rate_limited", "contract"):
            return False
        return True if error.retry_after is None else min(error.retry_after, _LONGEST_WAIT)

    attempts = stamina.retry_context(
        on=worth_another, attempts=_ATTEMPTS, timeout=None, wait_initial=first_wait, wait_max=_LONGEST_WAIT, wait_jitter=first_wait
    )
    async for attempt in attempts:
        with attempt:
            return await call()
    raise AssertionError("stamina raises the last error")

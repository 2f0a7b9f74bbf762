"""Slack as a destination: a message to the owner with brief, score and reasons; an alert for the best; one digest instead of many messages.

Slack has no idempotency key, and an answer can be lost after the message was posted. So each message carries our key as metadata, and after a lost answer the
channel is searched for it before anything is posted again. If the bot may not read the channel, it is posted once more, and counts as uncertain. What is
posted keeps its channel and `ts`, so that it can be deleted; a digest that names somebody goes as a whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from pydantic import Field

from lead_assets.core.errors import ProviderError
from lead_assets.ledger.model import Rate
from lead_assets.ledger.outbox_model import Fate, Parcel, ToSend
from lead_assets.vendors.http import VendorHttp
from lead_assets.vendors.sending import Destination, Forgot, RoutedLead, Sender, SendOpening, SendRules, ToForget, content_hash
from lead_assets.vendors.slack.client import EVENT, Slack

_DOCUMENTED = Rate(1, 1.0)
"""About one message per second and channel."""
_BEFORE = 60.0
"""Seconds before the first attempt from which the channel is searched, because clocks differ."""
_TEXT = 2_900
"""Slack cuts a section's text at 3,000 characters."""
_LISTED = 30
_BETWEEN = "/"
"""Between channel and `ts` in what is kept of a message."""


class SlackRules(SendRules):
    channel: str = Field(min_length=1)
    """For owners without a channel of their own."""
    alerts: str | None = None
    """Channel for leads of high priority; none is sent without it."""
    digest_above: int = Field(20, ge=1)
    """More new leads than this for one channel at once become one message, and so do more that come back from nurture. Alerts are always sent."""
    revisits: bool = True
    """Whether owners hear of leads that come back from nurture."""


class SlackDestination(Destination):
    name = "slack"
    rules = SlackRules
    keeps_people = False
    claims = 200
    workers = 2
    deduplicates = False
    to_people = True

    def to_send(self, leads: Sequence[RoutedLead], rules: SlackRules) -> list[ToSend]:
        sent: list[ToSend] = []
        for lead in leads:
            channel = lead.contact.slack or rules.channel
            if lead.path == "nurture" and rules.revisits:
                sent.append(_told(lead, "revisit", channel, partial(_revisit, lead), not_before=lead.revisit_at))
            if not lead.to_owner:
                continue
            sent.append(_told(lead, "lead", channel, partial(_lead, "New lead", lead), owner=lead.owner, due_by=lead.due_by))
            if lead.high_priority and rules.alerts:
                sent.append(_told(lead, "alert", rules.alerts, partial(_lead, "High priority", lead), due_by=lead.due_by))
        return sent

    @asynccontextmanager
    async def open(self, opening: SendOpening) -> AsyncIterator[Sender]:
        headers = {"authorization": f"Bearer {opening.key.get_secret_value()}"}
        async with Slack(opening.http("slack", opening.url, headers)) as client:
            yield _SlackSender(client, opening)

    async def forget(self, whom: ToForget) -> Forgot:
        known = {each.vendor_ref for each in whom.sent if each.vendor_ref and _BETWEEN in each.vendor_ref}
        async with Slack(VendorHttp("slack", whom.url, whom.bearer)) as client:
            for channel, _, ts in sorted(ref.partition(_BETWEEN) for ref in known):
                await client.delete(channel, ts)
        unknown = any(_BETWEEN not in (each.vendor_ref or "") for each in whom.sent)
        return Forgot(bool(known), "messages_without_id" if unknown else "")

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return {"ok": True, "channel": body.get("channel"), "ts": "1790000000.000000"}


DESTINATION = SlackDestination()


def _told(lead: RoutedLead, kind: str, channel: str, message: Callable[[], dict[str, Any]], **other: Any) -> ToSend:
    content = lead.news if kind != "revisit" else [kind]
    put = [lead.facts.get("tier"), lead.facts.get("brief")] if kind != "revisit" else None
    edition = 3 if kind != "revisit" else 2
    return lead.send(
        "slack", kind, lambda: {"channel": channel, **message()}, content=content, put=put, edition=edition, lane=channel, **other
    )


def _lead(title: str, lead: RoutedLead) -> dict[str, Any]:
    facts = lead.facts
    head = f"{title}: {_name(lead)}"
    score = f"Score {facts.get('score')} ({facts.get('tier')}), owner {lead.owner}"
    blocks = [_section(f"*{_escaped(head)}*\n{_escaped(score)}")]
    if "brief" in facts:
        blocks.append(_section(_escaped(f"{facts['brief']}\nNext: {facts.get('next_step', '')}")))
    if facts.get("reasons"):
        blocks.append(_section("\n".join(f"• {_escaped(reason)}" for reason in facts["reasons"])))
    line = f"{_name(lead)}: {facts.get('score')} ({facts.get('tier')}), {lead.owner}"
    return {"text": _escaped(f"{head}. {score}"), "blocks": blocks, "line": _escaped(line)}


def _revisit(lead: RoutedLead) -> dict[str, Any]:
    text = f"Back from nurture: {_name(lead)}, scored {lead.facts.get('score')} on arrival. Owner {lead.owner}"
    line = f"{_name(lead)}: {lead.facts.get('score')} on arrival, {lead.owner}"
    return {"text": _escaped(text), "blocks": [_section(_escaped(text))], "line": _escaped(line)}


def _digest(parcels: Sequence[Parcel]) -> dict[str, Any]:
    """One message for many leads of a channel, all new or all back from nurture."""
    campaigns = ", ".join(sorted({parcel.campaign_id for parcel in parcels})[:5])
    what = "leads back from nurture, of" if parcels[0].kind == "revisit" else "new leads from"
    title = _escaped(f"{len(parcels)} {what} {campaigns}")
    # A lead that began to wait before there were digests of such leads has no line of its own.
    lines = [f"• {parcel.body.get('line', parcel.body['text'])}" for parcel in parcels[:_LISTED]]
    more = [f"… and {len(parcels) - _LISTED} more"] if len(parcels) > _LISTED else []
    blocks = [_section(f"*{title}*"), _section("\n".join([*lines, *more]))]
    return {"channel": parcels[0].body["channel"], "text": title, "blocks": blocks}


def _name(lead: RoutedLead) -> str:
    return ", ".join(str(lead.facts[name]) for name in ("full_name", "title", "company") if name in lead.facts) or lead.lead_id


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_TEXT]}}


def _escaped(text: str) -> str:
    """Slack's three control characters, so that no lead's text can mention a channel or link somewhere."""
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _SlackSender:
    def __init__(self, client: Slack, opening: SendOpening) -> None:
        self._client = client
        self._desk = opening.desk
        self._rules: SlackRules = opening.rules
        rules = self._rules
        self._rates = [rules.rate.rate] if rules.rate else [] if opening.settings.world == "sandbox" else [_DOCUMENTED]

    async def send(self, parcels: Sequence[Parcel]) -> None:
        for group in self._groups(parcels):
            try:
                await self._one(group)
            except ProviderError as error:
                await self._desk.failed(group, error, self._bucket(group[0]))

    def _groups(self, parcels: Sequence[Parcel]) -> list[list[Parcel]]:
        """What becomes one message each: single ones, what once left as a digest, and more leads of one kind than a channel should get messages."""
        groups: list[list[Parcel]] = []
        digests: defaultdict[str, list[Parcel]] = defaultdict(list)
        waiting: defaultdict[tuple[str, str], list[Parcel]] = defaultdict(list)
        for parcel in parcels:
            if parcel.uncertain and parcel.vendor_ref:
                digests[parcel.vendor_ref].append(parcel)
            elif parcel.kind in ("lead", "revisit") and not parcel.uncertain:
                waiting[parcel.lane, parcel.kind].append(parcel)
            else:
                groups.append([parcel])
        for those in waiting.values():
            groups += [those] if len(those) > self._rules.digest_above else [[parcel] for parcel in those]
        return [*groups, *digests.values()]

    async def _one(self, group: list[Parcel]) -> None:
        first = group[0]
        if first.uncertain and first.first_sent_at is not None:
            may_look, ts = await self._found(first)
            if ts is not None:
                place = f"{first.body['channel']}{_BETWEEN}{ts}"
                await self._desk.settle([(parcel, Fate("confirmed", "found", vendor_ref=place)) for parcel in group])
                return
            if not may_look and first.uncertain > 1:
                await self._desk.settle([(parcel, Fate("dead", "uncertain")) for parcel in group])
                return
        if not await self._desk.turn(self._bucket(first), self._rates):
            await self._desk.settle([(parcel, Fate("waiting", "paced", retry_after=5, free=True)) for parcel in group])
            return
        # A digest is found again by a key of its own, which its entries keep.
        ref = first.vendor_ref if first.uncertain else content_hash(sorted(parcel.key for parcel in group)) if len(group) > 1 else None
        going = await self._desk.depart(group, ref)
        if not going:
            return
        group[:] = going
        message = _digest(going) if len(going) > 1 else going[0].body
        shown = {name: value for name, value in message.items() if name in ("channel", "text", "blocks")}
        metadata = {"event_type": EVENT, "event_payload": {"key": ref or going[0].key}}
        place = _BETWEEN.join(await self._client.post({**shown, "unfurl_links": False, "metadata": metadata}))
        await self._desk.settle([(parcel, Fate("confirmed", "digest" if len(going) > 1 else None, vendor_ref=place)) for parcel in going])

    async def _found(self, parcel: Parcel) -> tuple[bool, str | None]:
        """Whether the bot may look, and the message's `ts` if it was posted."""
        assert parcel.first_sent_at is not None
        key = parcel.vendor_ref or parcel.key
        try:
            return True, await self._client.posted(str(parcel.body["channel"]), parcel.first_sent_at.timestamp() - _BEFORE, key)
        except ProviderError as error:
            if error.kind in ("auth", "permanent"):
                return False, None
            raise

    def _bucket(self, parcel: Parcel) -> str:
        return f"slack:{content_hash(parcel.lane)[:12]}"

"""Searches through the ledger: a page of companies, each one's people, and their details, each bought once while fresh.

Belongs here: what is asked and what it may cost. Does not belong here: Apollo's wire format (see `lead_assets.vendors.apollo.search`), or using
the result (see `drop`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from lead_assets.contracts.base import canonical_json
from lead_assets.core.settings import Settings
from lead_assets.discovery.rules import SearchRules
from lead_assets.ledger.buying import buy
from lead_assets.ledger.model import Answer, Reply, Want, to_micros
from lead_assets.ledger.purchase import Call, Purchase
from lead_assets.signals.signal import load_signals
from lead_assets.vendors.apollo import VENDOR
from lead_assets.vendors.apollo.client import MAX_BULK
from lead_assets.vendors.apollo.search import COMPANIES, MAX_PAGE, PEOPLE, ApolloSearch

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger

PROVIDER = VENDOR.name
_MATCH = "people/bulk_match"


@dataclass(frozen=True)
class Person:
    """A person at a found company, as Apollo's person object."""

    domain: str
    record: Mapping[str, Any]
    answered_at: datetime | None


@dataclass
class Found:
    """The result of a search: short company records in Apollo's order, the revealed people, and the reasons for anything missing."""

    companies: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    people: list[Person] = field(default_factory=list)
    missed: dict[str, int] = field(default_factory=dict)


def credit_usd(settings: Settings) -> Decimal:
    """The price of one Apollo credit, from rules/signals.yaml. Raises ValueError if it is not there."""
    for signal in load_signals(settings).values():
        for source in signal.sources:
            if source.provider == PROVIDER:
                return source.terms.credit_usd
    raise ValueError("rules/signals.yaml has no apollo source, so the price of a credit is unknown: declare one (it may be disabled)")


def search(
    filters: Mapping[str, Sequence[str]],
    *,
    limit: int,
    people: int,
    campaign_id: str,
    credit_usd: Decimal,
    rules: SearchRules,
    ledger: Ledger,
    settings: Settings,
) -> Found:
    """At most `limit` matching companies, and at most `people` of each with their addresses. The campaign pays.

    Raises ValueError without a key, or if the search itself could not be bought (SearchOverBudget for want of money); people who could not be bought are
    counted in `missed`.
    """
    key = VENDOR.key(settings)
    if key is None:
        raise ValueError("discovery needs Apollo: set APOLLO_API_KEY")
    ledger.bind_world(settings.world)

    async def run() -> Found:
        async with ApolloSearch(VENDOR.url(settings), key) as client:
            desk = _Desk(client, campaign_id, credit_usd, rules, ledger)
            found = await desk.companies(filters, limit)
            await desk.people(found, people)
            return found

    return asyncio.run(run())


class SearchOverBudget(ValueError):
    """Nothing was bought, because no budget reaches for `price_micros`."""

    def __init__(self, price_micros: int) -> None:
        super().__init__(f"apollo {COMPANIES}: over_budget: nothing was found or filed; see 'lead-assets budget show'")
        self.price_micros = price_micros


@dataclass
class _Desk:
    client: ApolloSearch
    campaign_id: str
    credit_usd: Decimal
    rules: SearchRules
    ledger: Ledger

    async def companies(self, filters: Mapping[str, Sequence[str]], limit: int) -> Found:
        pages = range(1, -(-limit // MAX_PAGE) + 1)
        size = min(limit, MAX_PAGE)
        wants = [self._want(COMPANIES, canonical_json(filters), self.rules.credits, {"page": page, "per_page": size}) for page in pages]

        async def call(batch: Sequence[Want]) -> Sequence[Reply]:
            page = await self.client.companies(filters, page=batch[0].parameters["page"], per_page=size)
            # A page costs a credit even if it is empty.
            state = "found" if page.organizations else "not_found"
            return [Reply(state, None, {"organizations": page.organizations, "total": page.total}, batch[0].price_micros)]  # type: ignore[arg-type]

        answers = (await self._buy(wants, call)).answers
        first = answers[wants[0].key]
        if first.state == "unknown" and first.reason == "over_budget":
            raise SearchOverBudget(sum(want.price_micros for want in wants))
        if first.state == "unknown":
            raise ValueError(f"apollo {COMPANIES}: no answer ({first.reason}): nothing was found or filed; see 'lead-assets quotas'")
        found = Found(total=_body(first).get("total", 0))
        seen: set[str] = set()
        for want in wants:
            for record in _body(answers[want.key]).get("organizations", []):
                domain = str(record.get("primary_domain") or "").lower()
                if domain and domain not in seen and len(seen) < limit:
                    seen.add(domain)
                    found.companies.append({**record, "primary_domain": domain})
        return found

    async def people(self, found: Found, count: int) -> None:
        domains = [record["primary_domain"] for record in found.companies]
        if not count or not domains:
            return
        seniorities = self.rules.seniorities
        wants = {domain: self._want(PEOPLE, domain, Decimal(0), {"limit": count, "person_seniorities": seniorities}) for domain in domains}

        async def call(batch: Sequence[Want]) -> Sequence[Reply]:
            listed = await self.client.people_at(batch[0].subject, limit=count, person_seniorities=seniorities)
            return [Reply("found", None, {"people": listed}) if listed else Reply("not_found", "no_result")]

        answers = (await self._buy(list(wants.values()), call)).answers
        who = {
            str(person["id"]): domain
            for domain, want in wants.items()
            for person in _body(answers[want.key]).get("people", [])[:count]
            if person.get("id")
        }
        await self._reveal(found, who)

    async def _reveal(self, found: Found, who: Mapping[str, str]) -> None:
        wants = {identifier: self._want(_MATCH, f"id:{identifier}", self.rules.reveal_credits, {}) for identifier in who}

        async def call(batch: Sequence[Want]) -> Sequence[Reply]:
            records = await self.client.people([{"id": want.subject.removeprefix("id:")} for want in batch])
            return [
                Reply("found", None, record, want.price_micros) if record else Reply("not_found", "no_result")
                for want, record in zip(batch, records, strict=True)
            ]

        purchase = await self._buy(list(wants.values()), call, batch_size=MAX_BULK)
        found.missed = purchase.missed
        for identifier, want in wants.items():
            answer = purchase.answers[want.key]
            if answer.state == "found":
                found.people.append(Person(who[identifier], _body(answer), answer.answered_at))

    def _want(self, operation: str, subject: str, credits_: Decimal, parameters: dict[str, Any]) -> Want:
        return Want(
            provider=PROVIDER,
            operation=f"{PROVIDER}.{operation}",
            subject=subject,
            price_micros=to_micros(credits_ * self.credit_usd),
            campaign_id=self.campaign_id,
            lifetimes=self.rules.ledger_lifetimes,
            parameters=parameters,
        )

    async def _buy(self, wants: Sequence[Want], call: Call, *, batch_size: int = 1) -> Purchase:
        # Apollo counts per endpoint; the signals' engine shares these buckets.
        bucket = wants[0].operation if wants else None
        return await buy(self.ledger, wants, call, batch_size=batch_size, rates=self.rules.ledger_rates, bucket=bucket)


def _body(answer: Answer) -> dict[str, Any]:
    return answer.body if isinstance(answer.body, dict) else {}

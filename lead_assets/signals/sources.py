"""The choice of a provider's client, and on which terms its answers are kept.

Does not belong here: one provider's requests (see `pipe0_source`, `apollo_source`, `hunter_source`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Rate, Reply, Want
from lead_assets.signals.signal import ProviderTerms, Signal, SignalProvider, Source
from lead_assets.vendors.turns import Turns


class SourceClient(Protocol):
    """An open connection to one provider."""

    async def call(self, signal: Signal, source: Source, wants: Sequence[Want]) -> list[Reply]:
        """One vendor request for a batch; a reply a want, in order. Raises ProviderError where the request as a whole gave no answer."""
        ...

    async def resume(self, source: Source, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        """The replies of a request that was made before, by the vendor's id of it."""
        ...


@asynccontextmanager
async def open_source(provider: SignalProvider, settings: Settings, signals: Sequence[Signal], turns: Turns) -> AsyncIterator[SourceClient]:
    """The provider's client, for the event loop it is opened in and the `signals` that are collected in it. The provider's key must be set."""
    asking = [(signal, source) for signal in signals for source in _asked(signal) if source.provider == provider]
    key = settings.key(provider)
    if key is None or not asking:
        raise ValueError(f"{provider} has no key, or no signal asks it")
    terms = {source.operation: source.terms for _, source in asking}
    options: dict[str, Any] = {"connections": min(_MOST_CONNECTIONS, sum(each.concurrency for each in terms.values()))}
    deadline = asking[0][1].terms.deadline
    if deadline is not None:
        options["deadline"] = deadline
    url = settings.base_url(provider)
    if provider == "apollo":
        from lead_assets.signals.apollo_source import ApolloSource, Windows
        from lead_assets.vendors.apollo.client import Apollo

        windows = Windows(turns, {operation: each.bucket for operation, each in terms.items()})
        async with Apollo(url, key, watch=windows.watch, **options) as apollo:
            yield ApolloSource(apollo)
    elif provider == "hunter":
        from lead_assets.signals.hunter_source import HunterSource
        from lead_assets.vendors.hunter.client import Hunter

        async def turn(operation: str) -> None:
            await turns.turn(terms[operation].bucket, rates(terms[operation], settings))

        async with Hunter(url, key, turn=turn, **options) as hunter:
            yield HunterSource(hunter)
    else:
        from lead_assets.signals.pipe0_runs import Runs
        from lead_assets.signals.pipe0_source import Pipe0Source
        from lead_assets.vendors.pipe0.client import Pipe0

        partners = Counter(signal.subject for signal, _ in asking)
        own = asking[0][1].terms
        # The pipes of several signals travel in one request: more connections than one signal uses would stay idle.
        options["connections"] = own.concurrency
        client = Pipe0(url, key, environment=settings.pipe0_environment, **options)
        runs = Runs(
            client,
            turns,
            bucket=own.bucket,
            rates=rates(own, settings),
            first_look=_FIRST_LOOK if settings.world == "live" else _FIRST_LOOK_IN_SANDBOX,
            patience=deadline or Runs.PATIENCE,
        )
        async with client, runs, Pipe0Source(runs, partners) as source:
            yield source


_MOST_CONNECTIONS = 16
"""httpx gets slower as connections rise."""
_FIRST_LOOK = 1.0
_FIRST_LOOK_IN_SANDBOX = 0.03
"""Seconds. The sandbox works no longer than a test or a benchmark says."""


def _asked(signal: Signal) -> list[Source]:
    """All that the signal may have to ask: its sources, and those of the signals they need."""
    return [each for source in signal.active_sources for each in (source, *(source.needs.sources[:1] if source.needs else ()))]


def is_mock(provider: str, settings: Settings) -> bool:
    """True where the provider's answers are made up: from the product's sandbox, or from pipe0's own."""
    return settings.world == "sandbox" or (provider == "pipe0" and settings.pipe0_environment == "sandbox")


def rates(terms: ProviderTerms, settings: Settings) -> Sequence[Rate]:
    """The limits to keep: the sandbox has those that a test sets, and a vendor's would only make a demonstration slow."""
    return terms.rates if terms.paced_in_sandbox or settings.world == "live" else ()


def ledger_parameters(source: Source, settings: Settings) -> dict[str, Any]:
    """All that shapes the answer beside operation and subject. pipe0's mock answers are other answers, or they would be served as facts later."""
    parameters: dict[str, Any] = dict(source.config)
    if source.provider == "pipe0" and settings.pipe0_environment == "sandbox":
        parameters["environment"] = "sandbox"
    return parameters


def price_micros(source: Source, settings: Settings) -> int:
    """Most that one subject can cost here: pipe0's mock answers are free."""
    return 0 if source.provider == "pipe0" and settings.pipe0_environment == "sandbox" else source.price_micros

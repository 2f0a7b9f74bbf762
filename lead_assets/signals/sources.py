"""What the engine asks of any provider, which providers there are, and on which terms their answers are kept.

Belongs here: the protocol and the choice of a provider's side of it. Does not belong here: one provider's requests (see `pipe0_source`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from lead_assets.ledger.model import Reply, Want
from lead_assets.settings import Settings
from lead_assets.signals.signal import Signal, SignalProvider, Source

Hold = Callable[[float], Awaitable[None]]
"""Nobody who shares the provider's key makes a request for so many seconds."""


class SourceClient(Protocol):
    """An open connection to one provider."""

    async def call(self, signal: Signal, source: Source, wants: Sequence[Want]) -> list[Reply]:
        """One vendor request for a batch; a reply a want, in order. Raises ProviderError where the request as a whole gave no answer."""
        ...

    async def resume(self, source: Source, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        """The replies of a request that was made before, by the vendor's id of it."""
        ...


@asynccontextmanager
async def open_source(provider: SignalProvider, settings: Settings, signals: Sequence[Signal], hold: Hold) -> AsyncIterator[SourceClient]:
    """The provider's client, for the event loop it is opened in and the `signals` that are collected in it. The provider's key must be set."""
    asking = [(signal, source) for signal in signals for source in signal.active_sources if source.provider == provider]
    key = settings.key(provider)
    if key is None or not asking:
        raise ValueError(f"{provider} has no key, or no signal asks it")
    connections = asking[0][1].terms.concurrency
    if provider == "apollo":
        from lead_assets.providers.apollo import Apollo
        from lead_assets.signals.apollo_source import ApolloSource

        async with Apollo(settings.base_url("apollo"), key, connections=connections) as apollo:
            yield ApolloSource(apollo)
        return
    from lead_assets.providers.pipe0 import Pipe0
    from lead_assets.signals.pipe0_source import Pipe0Source

    partners = Counter(signal.subject for signal, _ in asking)
    client = Pipe0(settings.base_url("pipe0"), key, environment=settings.pipe0_environment, connections=connections)
    async with client, Pipe0Source(client, hold, partners) as source:
        yield source


def is_mock(provider: str, settings: Settings) -> bool:
    """True where the provider's answers are made up: from the product's sandbox, or from pipe0's own."""
    return settings.world == "sandbox" or (provider == "pipe0" and settings.pipe0_environment == "sandbox")


def ledger_parameters(source: Source, settings: Settings) -> dict[str, Any]:
    """All that shapes the answer beside operation and subject. pipe0's mock answers are other answers, or they would be served as facts later."""
    parameters: dict[str, Any] = dict(source.config)
    if source.provider == "pipe0" and settings.pipe0_environment == "sandbox":
        parameters["environment"] = "sandbox"
    return parameters


def price_micros(source: Source, settings: Settings) -> int:
    """Most that one subject can cost here: pipe0's mock answers are free."""
    return 0 if source.provider == "pipe0" and settings.pipe0_environment == "sandbox" else source.price_micros

"""The engine's settings in the rules files: limits of its calls, and the prices of models.

Belongs here: the engine's part of rules/classification.yaml, rules/prices.yaml, and the price of a call. Does not belong here: which profile a lead gets,
or which leads are asked about (each room's own rules).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from lead_assets.core.declared import Declared, RulesFile
from lead_assets.core.settings import Settings
from lead_assets.model.profile import Profile


class CallLimits(Declared):
    """Limits for questions asked by Messages."""

    max_tokens: int = Field(2048, ge=64, le=20_000)
    truncated_max_tokens: int = Field(4096, ge=64, le=20_000)
    timeout_seconds: float = Field(120, gt=0)
    concurrency: int = Field(16, ge=1, le=256)
    requests_per_minute: int | None = Field(None, ge=1)
    cache_ttl: Literal["5m", "1h"] = "5m"
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None


class Batches(Declared):
    """Limits for questions asked by Message Batches."""

    poll_seconds: float = Field(30, ge=0)
    max_requests: int = Field(10_000, ge=1, le=100_000)
    concurrency: int = Field(4, ge=1, le=64)


class Limits(Declared):
    """The engine's part of a room's rules."""

    calls: CallLimits = CallLimits()
    repair: bool = True
    second_look: bool = True
    batches: Batches = Batches()


class TokenRate(Declared):
    """US dollars per million tokens."""

    input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)
    cache_write_5m: Decimal = Field(ge=0)
    cache_write_1h: Decimal = Field(ge=0)
    cache_read: Decimal = Field(ge=0)


class ModelPrice(TokenRate):
    long_from: int | None = None
    long: TokenRate | None = None


class TokenUsage(BaseModel):
    """Tokens of one call, as the vendor counts them. Unknown counters, which vendors may add, are ignored."""

    model_config = ConfigDict(extra="ignore")

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = 0
    cache_read_input_tokens: int | None = 0
    cache_creation: dict[str, int] | None = None

    @property
    def prompt_tokens(self) -> int:
        """All input: fresh, written to the cache and read from it."""
        return self.input_tokens + (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)


class Prices(Declared):
    batch_factor: Decimal = Field(Decimal("0.5"), ge=0, le=1)
    models: dict[str, ModelPrice] = Field(min_length=1)

    def of(self, model: str) -> ModelPrice:
        """A model's price, or the highest known one for an unknown model (a dated name such as claude-haiku-5-5-20261001 has its family's price)."""
        families = [name for name in self.models if model == name or model.startswith(f"{name}-")]
        if families:
            return self.models[max(families, key=len)]
        return max(self.models.values(), key=lambda price: (price.output, price.input))

    def cost_micros(self, model: str, usage: TokenUsage, *, batch: bool = False) -> int:
        """The cost of a call in micro-dollars, rounded up. One dollar per million tokens is one micro-dollar per token."""
        rate = self._rate(model, usage.prompt_tokens)
        written = usage.cache_creation_input_tokens or 0
        hourly = min((usage.cache_creation or {}).get("ephemeral_1h_input_tokens", 0), written)
        micros = (
            usage.input_tokens * rate.input
            + (written - hourly) * rate.cache_write_5m
            + hourly * rate.cache_write_1h
            + (usage.cache_read_input_tokens or 0) * rate.cache_read
            + usage.output_tokens * rate.output
        )
        return math.ceil(micros * (self.batch_factor if batch else 1))

    def most_micros(self, model: str, prompt_tokens: int, max_tokens: int, *, batch: bool = False) -> int:
        """The most a call can cost: every prompt token written to the most expensive cache, every output token used."""
        rate = self._rate(model, prompt_tokens)
        micros = prompt_tokens * max(rate.input, rate.cache_write_1h) + max_tokens * rate.output
        return math.ceil(micros * (self.batch_factor if batch else 1))

    def _rate(self, model: str, prompt_tokens: int) -> TokenRate:
        price = self.of(model)
        return price.long if price.long is not None and price.long_from is not None and prompt_tokens > price.long_from else price


L = TypeVar("L", bound=Limits, covariant=True)


@dataclass(frozen=True)
class Rulebook(Generic[L]):
    """Everything that decides how a room's questions are asked, and their possible profiles.

    `limits` is the room's own model, which may have more fields than the engine reads.
    """

    limits: L
    prices: Prices
    profiles: Mapping[str, Profile]


def load_prices(settings: Settings) -> Prices:
    """The prices in force. Raises RulesError."""
    return PRICES.load(settings)


PRICES = RulesFile("prices.yaml", Prices, summary=lambda prices: f"{len(prices.models)} models", parts={"models": "model"})

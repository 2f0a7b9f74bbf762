"""The engine's Anthropic client: one request out, one journalable body back, and every failure classified by what the buyer may do next.

Belongs here: the wire format (through the vendor's own SDK), the price of a call, and the mapping of the SDK's exceptions. Does not belong here: retries,
budgets, pacing (the ledger's buyer, see `lead_assets.ledger.buying`), or judging the answer's content (see `governance`).
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lead_assets.core.errors import Kind, ProviderError
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Reply, Want
from lead_assets.model.profile import Answered, Profile
from lead_assets.model.prompt import Request
from lead_assets.model.rulebook import CallLimits, Prices, TokenUsage
from lead_assets.vendors.anthropic import VENDOR

if TYPE_CHECKING:
    import anthropic

PROVIDER = VENDOR.name
OPERATION = "anthropic.messages"

_LONGEST_HOLD = 60.0
"""Longest believable reset in seconds: windows are one minute long, so a later reset means a wrong clock."""

# Allowance for the tokens that schema, roles and tags add to the text itself.
_OVERHEAD_TOKENS = 600

# A 429 with one of these codes is about money, not speed: waiting does not help, and the SDK would retry forever.
_SPEND_CODES = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached", "linked_organization_spend_limit_reached"})


@dataclass(frozen=True)
class Attempt:
    """A want's payload: what one call needs."""

    profile: Profile
    request: Request
    max_tokens: int
    fix: str | None = None
    """The replay that asks, if any: stored with the answer, so that it is not sent again under the same fix."""


def parameters(attempt: Attempt, model: str, calls: CallLimits) -> dict[str, Any]:
    """The attempt as arguments for messages.create, which are also the params of one request in a batch."""
    output: dict[str, Any] = {"format": {"type": "json_schema", "schema": _wire_schema(attempt.profile.contract)}}
    if calls.effort is not None:
        output["effort"] = calls.effort
    return {
        "model": model,
        "max_tokens": attempt.max_tokens,
        "system": [{"type": "text", "text": attempt.request.system, "cache_control": {"type": "ephemeral", "ttl": calls.cache_ttl}}],
        "messages": [dict(message) for message in attempt.request.messages],
        "output_config": output,
    }


@functools.cache
def _wire_schema(contract: type[Answered]) -> dict[str, Any]:
    """The contract in the form the vendor accepts: ranges and lengths become descriptions, so they are checked again when the answer comes."""
    import anthropic

    return anthropic.transform_schema(contract)


def most_tokens(attempt: Attempt) -> int:
    """An upper bound of the prompt's tokens: a token is at least a byte."""
    return attempt.request.size + _OVERHEAD_TOKENS


def reply_of(message: Any, prices: Prices, *, model: str, batch: bool = False, fix: str | None = None) -> Reply:
    """The SDK's Message as a reply to journal. Whatever it says, it was billed: truncated answers and refusals are answers too."""
    usage = TokenUsage.model_validate(message.usage.model_dump())
    body = {
        "id": message.id,
        "model": message.model,
        "stop_reason": message.stop_reason,
        # By type, not position: a thinking block may come first.
        "text": "".join(block.text for block in message.content if block.type == "text"),
        "usage": usage.model_dump(),
        "batch": batch,
        **({"fix": fix} if fix is not None else {}),
    }
    return Reply(
        state="found",
        body=body,
        cost_micros=prices.cost_micros(model, usage, batch=batch),
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.output_tokens,
        vendor_ref=message.id,
    )


class MessagesClient:
    """Calls Messages, one want per call. Open it in the event loop that uses it: `async with MessagesClient(...) as call`."""

    def __init__(self, settings: Settings, calls: CallLimits, prices: Prices) -> None:
        self.settings = settings
        self.calls = calls
        self.prices = prices
        self._sdk: anthropic.AsyncAnthropic | None = None
        self._warm: dict[str, asyncio.Event] = {}
        self._held_until = 0.0

    async def __aenter__(self) -> MessagesClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sdk is not None:
            await self._sdk.close()

    async def __call__(self, wants: Sequence[Want]) -> list[Reply]:
        return [await self._one(want) for want in wants]

    async def _one(self, want: Want) -> Reply:
        attempt: Attempt = want.payload
        # Parallel requests with the same prefix would all miss the cache: the first goes alone, and the others follow once its prefix is cached.
        prefix = f"{attempt.profile.name}:{attempt.profile.version}"
        if (standing := self._warm.get(prefix)) is not None:
            await standing.wait()
            return await self._send(attempt)
        standing = self._warm[prefix] = asyncio.Event()
        try:
            return await self._send(attempt)
        finally:
            standing.set()

    async def open(self) -> None:
        """Import the SDK, which takes a second or more: only if there is something to ask (a run with all answers in the ledger skips it), and before
        anything is claimed."""
        if self._sdk is None:
            self._sdk = open_sdk(self.settings, self.calls)

    async def _send(self, attempt: Attempt) -> Reply:
        import anthropic

        await self.open()
        assert self._sdk is not None
        model = self.settings.anthropic_model
        await self._hold()
        try:
            raw = await self._sdk.messages.with_raw_response.create(**parameters(attempt, model, self.calls))
            self._heed(raw.headers)
            message = await _message_in(raw)
        except (anthropic.AnthropicError, ValueError) as error:
            raise provider_error(error, OPERATION) from None
        if not isinstance(message, anthropic.types.Message) or not isinstance(message.content, list) or message.usage is None:
            raise ProviderError(PROVIDER, OPERATION, "contract", "the answer is not a message")
        return reply_of(message, self.prices, model=model, fix=attempt.fix)

    async def _hold(self) -> None:
        """Wait for a window that the vendor reports as used up, instead of being refused."""
        if (wait := self._held_until - time.time()) > 0:
            await asyncio.sleep(min(wait, _LONGEST_HOLD))

    def _heed(self, headers: Mapping[str, str]) -> None:
        for kind in ("requests", "input-tokens", "output-tokens", "tokens"):
            if headers.get(f"anthropic-ratelimit-{kind}-remaining") == "0":
                self._held_until = max(self._held_until, _epoch(headers.get(f"anthropic-ratelimit-{kind}-reset")))


async def _message_in(raw: Any) -> Any:
    """The Message in a raw response. Pydantic reads one of a known form in a tenth of the time that the SDK takes, which reads any other as far as it can."""
    import anthropic
    from pydantic import ValidationError

    try:
        return anthropic.types.Message.model_validate_json(raw.http_response.content)
    except ValidationError:
        return await raw.parse()


def open_sdk(settings: Settings, calls: CallLimits) -> anthropic.AsyncAnthropic:
    """The vendor's SDK without its own retries, because the ledger's buyer retries and counts. The key is explicit, so that no profile on disk is used."""
    import anthropic

    from lead_assets.vendors.http import certificates
    from lead_assets.vendors.network import without_detours

    key = VENDOR.key(settings)
    if key is None:
        raise ProviderError(PROVIDER, OPERATION, "auth", "no key: set ANTHROPIC_API_KEY", sent=False)
    return anthropic.AsyncAnthropic(
        api_key=key.get_secret_value(),
        base_url=VENDOR.url(settings),
        max_retries=0,
        timeout=calls.timeout_seconds,
        http_client=without_detours(anthropic.DefaultAsyncHttpxClient(timeout=calls.timeout_seconds, verify=certificates(trust_env=True))),
    )


def provider_error(error: Exception, operation: str) -> ProviderError:
    """Translates the SDK's exception for the buyer. The text contains at most the vendor's error type, because its message may quote the request."""
    import anthropic

    if isinstance(error, anthropic.APITimeoutError):
        return ProviderError(PROVIDER, operation, "transient", "timeout", sent=not _never_connected(error))
    if isinstance(error, anthropic.APIConnectionError):
        return ProviderError(PROVIDER, operation, "transient", "connection failed", sent=not _never_connected(error))
    if isinstance(error, anthropic.APIStatusError):
        kind, reason = _status_kind(error)
        wait = _retry_after(error.response.headers.get("retry-after-ms"), error.response.headers.get("retry-after"))
        return ProviderError(PROVIDER, operation, kind, reason, status=error.status_code, retry_after=wait)
    # Everything else was received but not understood: HTML, truncated JSON, another shape.
    return ProviderError(PROVIDER, operation, "contract", "the answer does not follow the wire format")


def _status_kind(error: anthropic.APIStatusError) -> tuple[Kind, str]:
    status, code, kind_name = error.status_code, error.error_code or "", error.type or "error"
    if status == 429:
        return ("quota", "spend limit reached") if code in _SPEND_CODES else ("rate_limited", code or kind_name)
    if status == 402 or code in _SPEND_CODES:
        return "quota", code or kind_name
    if status in (401, 403):
        return "auth", kind_name
    if status in (408, 409) or status >= 500:
        return "transient", kind_name
    return "permanent", code or kind_name


def _never_connected(error: BaseException) -> bool:
    """True if nothing of the request can have reached the vendor."""
    cause = error.__cause__ or error.__context__
    return cause is not None and type(cause).__name__ in (
        "ConnectError",
        "ConnectTimeout",
        "PoolTimeout",
        "UnsupportedProtocol",
        "ProxyError",
    )


def _epoch(reset: str | None) -> float:
    try:
        return datetime.fromisoformat(reset).timestamp() if reset else 0.0
    except ValueError:
        return 0.0


def _retry_after(milliseconds: str | None, seconds: str | None) -> float | None:
    """Seconds to wait. Dates and anything unreadable are left to the buyer's own backoff."""
    for text, scale in ((milliseconds, 0.001), (seconds, 1.0)):
        try:
            if text is not None:
                return max(0.0, float(text) * scale)
        except ValueError:
            continue
    return None

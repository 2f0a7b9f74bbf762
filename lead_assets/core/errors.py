"""How a provider can fail, told apart by what the buyer may do next."""

from __future__ import annotations

from typing import Literal, Self

Kind = Literal[
    "transient",  # may pass: server error, timeout, dropped connection. Retry with backoff
    "rate_limited",  # too fast: wait `retry_after` (or back off), then retry
    "permanent",  # this request can never succeed: bad input, unknown pipe. Do not retry
    "auth",  # the credential is refused: nothing more to this provider in this run
    "quota",  # credits or spend limit used up: nothing more to this provider in this run
    "suppressed",  # the person asked the vendor not to be processed: suppress the lead
    "contract",  # the answer is not what the wire format says: HTML, truncated JSON, wrong shape. Retry once, then unknown
]


class ProviderError(Exception):
    """A call that gave no answer. Its text names provider, operation and status; never the key, the subject or the body.

    `sent` is False only if the vendor cannot have seen the request (DNS, refused connection): then nothing can have been billed.
    `counted`: another purchase waited for the same request and has been told; one request that fails is one failure of the provider.
    `vendor_ref` is the vendor's own id of the work, where the failure carried one: poll that, never submit again.
    """

    def __init__(
        self,
        provider: str,
        operation: str,
        kind: Kind,
        reason: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        vendor_ref: str | None = None,
        sent: bool = True,
        cost_micros: int = 0,
        counted: bool = False,
    ) -> None:
        self.provider = provider
        self.operation = operation
        self.kind: Kind = kind
        self.reason = reason
        self.status = status
        self.retry_after = retry_after
        self.vendor_ref = vendor_ref
        self.sent = sent
        self.cost_micros = cost_micros
        self.counted = counted
        at = f" (HTTP {status})" if status is not None else ""
        super().__init__(f"{provider} {operation}: {reason}{at}")

    def for_another(self) -> Self:
        """The same failure for another purchase that waited for the same request."""
        return type(self)(
            self.provider,
            self.operation,
            self.kind,
            self.reason,
            status=self.status,
            retry_after=self.retry_after,
            vendor_ref=self.vendor_ref,
            sent=self.sent,
            cost_micros=self.cost_micros,
            counted=True,
        )

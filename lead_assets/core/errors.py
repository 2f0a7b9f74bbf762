"""The ways a provider call can fail, grouped by what the buyer may do next."""

from __future__ import annotations

from typing import Literal, Self

Kind = Literal[
    "transient",  # temporary: server error, timeout, dropped connection. Retry with backoff
    "rate_limited",  # too fast: wait `retry_after` (or back off), then retry
    "permanent",  # this request can never succeed: bad input, unknown pipe. Do not retry
    "auth",  # the credential was refused: no more calls to this provider in this run
    "quota",  # credits or spend limit used up: no more calls to this provider in this run
    "suppressed",  # the person opted out with the vendor: suppress the lead
    "contract",  # the answer breaks the wire format: HTML, truncated JSON, wrong shape. Retry once, then unknown
]


class ProviderError(Exception):
    """A call without an answer. Its text names provider, operation and status; never the key, the subject or the body.

    `sent` is False only if the vendor cannot have seen the request (DNS failure, refused connection), so nothing can have been billed.
    `counted`: another purchase shared this request and has already counted the failure; one failed request is one failure of the provider.
    `vendor_ref` is the vendor's own id for the work, if the failure carried one: poll it, never submit again.
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
        """The same failure, for another purchase that shared the request."""
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

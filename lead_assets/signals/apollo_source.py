"""How Apollo is asked for the subjects of a batch: wants in, replies out.

Belongs here: which of Apollo's calls an operation is, and what was found and charged. Does not belong here: Apollo's HTTP (see
`lead_assets.providers.apollo`), what the values mean (see `apollo_parsers`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lead_assets.ledger.model import Reply, Want
from lead_assets.providers.apollo import Apollo
from lead_assets.providers.errors import ProviderError
from lead_assets.signals.signal import Signal, Source


class ApolloSource:
    """Apollo as a source of signals. Its operations are named by their paths."""

    def __init__(self, client: Apollo) -> None:
        self._client = client

    async def call(self, signal: Signal, source: Source, wants: Sequence[Want]) -> list[Reply]:
        subjects = [want.subject for want in wants]
        found: list[dict[str, Any] | None]
        if (source.operation, signal.subject) == ("organizations/bulk_enrich", "company_domain"):
            found = await self._client.organizations(subjects)
        elif (source.operation, signal.subject) == ("people/bulk_match", "person_profile"):
            found = await self._client.people([{"linkedin_url": subject} for subject in subjects])
        elif (source.operation, signal.subject) == ("people/bulk_match", "email"):
            found = await self._client.people([{"email": subject} for subject in subjects])
        else:
            raise ProviderError("apollo", source.operation, "permanent", "provider_error", sent=False)
        return [
            Reply("not_found", "no_result", cost_micros=want.price_micros if source.billing == "always" else 0)
            if record is None
            else Reply("found", None, record, want.price_micros)
            for want, record in zip(wants, found, strict=True)
        ]

    async def resume(self, source: Source, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        # Apollo's bulk calls answer at once and give no id to come back with.
        raise ProviderError("apollo", source.operation, "permanent", "provider_error", sent=False)

"""Segment's HTTP Tracking API: batches of events. It answers 200 to almost everything, even to what it then drops, so its limits are kept here. And its
Public API, which has hosts and tokens of its own, for deletions.

Does not belong here: which events are sent (see `destination`). https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from lead_assets.vendors.http import Kinds, VendorClient, failure, retry_after

MOST_EVENTS, MOST_EVENT_BYTES, MOST_BYTES = 2_500, 32_000, 500_000
MOST_REGULATED = 5_000
"""Users per request for deletion."""
PUBLIC_URLS = ("https://api.segmentapis.com", "https://eu1.api.segmentapis.com")
"""Of workspaces in the US, and in the EU."""
_AROUND = 200
"""Bytes of a batch besides its events."""

KINDS: Kinds = {
    400: ("permanent", "refused"),
    401: ("auth", "auth"),
    403: ("auth", "auth"),
    408: ("transient", "timeout"),
    413: ("permanent", "too_large"),
    429: ("rate_limited", "rate_limited"),
}


PUBLIC_KINDS: Kinds = {**KINDS, 404: ("permanent", "not_found"), 422: ("permanent", "refused")}


class Segment(VendorClient):
    """Segment's API; use with `async with`."""

    async def batch(self, events: Sequence[dict[str, Any]]) -> None:
        """Send events; each needs a `messageId`, by which Segment drops repeats. Raises ProviderError."""
        content = orjson.dumps({"batch": list(events), "context": {"library": {"name": "lead_assets", "version": "0.1"}}})
        answer = await self._http.request("batch", "POST", "/v1/batch", content=content, headers={"content-type": "application/json"})
        if answer.status >= 300:
            error = failure("segment", "batch", answer, KINDS)
            if error.kind == "rate_limited" and error.retry_after is None:
                error.retry_after = retry_after(answer, "x-ratelimit-reset") or 1.0
            raise error


class SegmentPublic(VendorClient):
    """Segment's Public API; use with `async with`."""

    async def delete_for_good(self, users: Sequence[str]) -> None:
        """Have users deleted in the workspace, in its warehouses and in connected destinations that can delete, and drop what else comes about them.
        https://docs.segmentapis.com/tag/Deletion-and-Suppression#operation/createWorkspaceRegulation"""
        for start in range(0, len(users), MOST_REGULATED):
            some = list(users[start : start + MOST_REGULATED])
            body = {"regulationType": "SUPPRESS_WITH_DELETE", "subjectType": "USER_ID", "subjectIds": some}
            answer = await self._http.request("regulations", "POST", "/regulations", json=body)
            if answer.status >= 300:
                raise failure("segment", "regulations", answer, PUBLIC_KINDS)


def batches(sizes: Sequence[int]) -> list[range]:
    """Positions of events that go into one batch each, in order, within the limits of number and size."""
    made: list[range] = []
    start = size = 0
    for position, each in enumerate(sizes):
        if position > start and (position - start >= MOST_EVENTS or size + each + 1 > MOST_BYTES - _AROUND):
            made.append(range(start, position))
            start, size = position, 0
        size += each + 1
    return [*made, range(start, len(sizes))] if sizes else []

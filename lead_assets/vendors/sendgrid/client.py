"""SendGrid Marketing: contacts upserted as a job, and what became of the job.

Does not belong here: which contacts are sent (see `destination`). https://www.twilio.com/docs/sendgrid/api-reference/contacts/add-or-update-a-contact
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from lead_assets.core.errors import ProviderError
from lead_assets.vendors.http import HttpAnswer, Kinds, VendorClient, failure, json_object

MOST_CONTACTS, MOST_BYTES = 30_000, 6_000_000

KINDS: Kinds = {
    400: ("permanent", "refused"),
    401: ("auth", "auth"),
    403: ("auth", "auth"),
    404: ("permanent", "not_found"),
    408: ("transient", "timeout"),
    413: ("permanent", "too_large"),
    429: ("rate_limited", "rate_limited"),
}


class SendGrid(VendorClient):
    """SendGrid's API; use with `async with`."""

    async def upsert(self, lists: Sequence[str], contacts: Sequence[dict[str, Any]]) -> str:
        """Start a job; returns its id. Nobody is in the list before the job has ended."""
        content = orjson.dumps({"list_ids": list(lists), "contacts": list(contacts)})
        headers = {"content-type": "application/json"}
        answer = await self._http.request("contacts", "PUT", "/v3/marketing/contacts", content=content, headers=headers)
        told = self._checked("contacts", answer)
        if not told.get("job_id"):
            raise ProviderError("sendgrid", "contacts", "contract", "bad_answer", status=answer.status)
        return str(told["job_id"])

    async def job(self, job_id: str) -> tuple[str, int]:
        """A job's status (pending, completed, errored, failed), and the contacts that it refused."""
        told = self._checked("imports", await self._http.request("imports", "GET", f"/v3/marketing/contacts/imports/{job_id}"))
        return str(told.get("status")), int((told.get("results") or {}).get("errored_count") or 0)

    def _checked(self, operation: str, answer: HttpAnswer) -> dict[str, Any]:
        if answer.status >= 300:
            error = failure("sendgrid", operation, answer, KINDS)
            if error.kind == "rate_limited" and error.retry_after is None:
                error.retry_after = 5.0
            raise error
        return json_object("sendgrid", operation, answer)

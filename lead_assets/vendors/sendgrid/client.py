"""SendGrid Marketing: contacts upserted as a job, and what became of the job.

Does not belong here: which contacts are sent (see `destination`). https://www.twilio.com/docs/sendgrid/api-reference/contacts/add-or-update-a-contact
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from lead_assets.core.errors import ProviderError
from lead_assets.vendors.http import HttpAnswer, Kinds, VendorClient, failure, json_list, json_object

MOST_CONTACTS, MOST_BYTES = 30_000, 6_000_000
MOST_SEARCHED = 100
MOST_SUPPRESSED = 500

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

    async def ids(self, emails: Sequence[str]) -> list[str]:
        """The ids of the contacts with these addresses, alternate ones included.
        https://www.twilio.com/docs/sendgrid/api-reference/contacts/get-contacts-by-emails"""
        found: set[str] = set()
        for start in range(0, len(emails), MOST_SEARCHED):
            body = {"emails": list(emails[start : start + MOST_SEARCHED])}
            answer = await self._http.request("contacts/search", "POST", "/v3/marketing/contacts/search/emails", json=body)
            if answer.status != 404:  # it has none of them
                told = self._checked("contacts/search", answer).get("result") or {}
                found |= {str(each["contact"]["id"]) for each in told.values() if (each.get("contact") or {}).get("id")}
        return sorted(found)

    async def delete(self, ids: Sequence[str]) -> str:
        """Start the job that deletes contacts; returns its id. https://www.twilio.com/docs/sendgrid/api-reference/contacts/delete-contacts"""
        answer = await self._http.request("contacts/delete", "DELETE", "/v3/marketing/contacts", params={"ids": ",".join(ids)})
        return str(self._checked("contacts/delete", answer).get("job_id"))

    async def suppressed(self, listed: str) -> list[str]:
        """The addresses of one of its lists of whom it writes to no more: bounces, unsubscribes, spam_reports or invalid_emails.
        https://www.twilio.com/docs/sendgrid/api-reference/bounces-api/retrieve-all-bounces"""
        found: list[str] = []
        while True:
            asked = {"limit": MOST_SUPPRESSED, "offset": len(found)}
            operation = f"suppression/{listed}"
            answer = await self._http.request(operation, "GET", f"/v3/suppression/{listed}", params=asked)
            if answer.status >= 300:
                self._checked(operation, answer)
            page = json_list("sendgrid", operation, answer)
            found += [str(each.get("email")) for each in page]
            if len(page) < MOST_SUPPRESSED:
                return found

    def _checked(self, operation: str, answer: HttpAnswer) -> dict[str, Any]:
        if answer.status >= 300:
            error = failure("sendgrid", operation, answer, KINDS)
            if error.kind == "rate_limited" and error.retry_after is None:
                error.retry_after = 5.0
            raise error
        return json_object("sendgrid", operation, answer)

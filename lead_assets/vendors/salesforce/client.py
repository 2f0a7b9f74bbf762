"""Salesforce's REST API: up to 200 records upserted by an external id in one request, each with its own result; and records deleted by it.

Does not belong here: which records (see `destination`).
https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-sobjects-collections-upsert.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from lead_assets.core.errors import ProviderError
from lead_assets.vendors.http import HttpAnswer, Kinds, VendorClient, failure

MOST = 200
"""Records per request."""
VERSION = "v61.0"

KINDS: Kinds = {
    400: ("permanent", "refused"),
    401: ("auth", "auth"),
    403: ("auth", "auth"),
    404: ("permanent", "not_found"),
    408: ("transient", "timeout"),
    429: ("rate_limited", "rate_limited"),
}


class Salesforce(VendorClient):
    """Salesforce's REST API; use with `async with`."""

    async def upsert(self, sobject: str, external_id: str, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Results in the order of the records: {id, success, errors: [{statusCode, message, fields}], created}."""
        path = f"/services/data/{VERSION}/composite/sobjects/{sobject}/{external_id}"
        body = {"allOrNone": False, "records": [{"attributes": {"type": sobject}, **record} for record in records]}
        answer = await self._http.request("upsert", "PATCH", path, json=body)
        if answer.status >= 300:
            raise _failure(answer)
        told = _listed(answer)
        if len(told) != len(records):
            raise ProviderError("salesforce", "upsert", "contract", "bad_answer", status=answer.status)
        return told

    async def delete(self, sobject: str, external_id: str, value: str) -> None:
        """Delete the record with this external id, if there is one; it stays in the Recycle Bin for a while.
        https://developer.salesforce.com/docs/platform/api-rest/guide/resources-sobject-upsert-delete.html"""
        answer = await self._http.request("delete", "DELETE", f"/services/data/{VERSION}/sobjects/{sobject}/{external_id}/{value}")
        if answer.status >= 300 and answer.status != 404:
            raise _failure(answer)


def _listed(answer: HttpAnswer) -> list[dict[str, Any]]:
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        told = None
    return told if isinstance(told, list) and all(isinstance(each, dict) for each in told) else []


def _failure(answer: HttpAnswer) -> ProviderError:
    """Errors are a list of {message, errorCode}. 403 is a refusal, or the daily limit of requests."""
    code = str(next((each.get("errorCode") for each in _listed(answer)), ""))
    if code in ("REQUEST_LIMIT_EXCEEDED", "STORAGE_LIMIT_EXCEEDED"):
        return ProviderError("salesforce", "upsert", "quota", code.lower(), status=answer.status)
    if code == "UNABLE_TO_LOCK_ROW":
        return ProviderError("salesforce", "upsert", "transient", code.lower(), status=answer.status)
    return failure("salesforce", "upsert", answer, KINDS)

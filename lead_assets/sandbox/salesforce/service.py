"""Salesforce: records upserted by an external id, up to 200 in one request, and deleted by it. Records are kept by external id until reset.

Errors of a whole request are a list of {message, errorCode}; each record of a good request has its own result.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.service import Service, ServiceCall, answer

MAX_RECORDS = 200
_CODES = {
    401: "INVALID_SESSION_ID",
    403: "REQUEST_LIMIT_EXCEEDED",
    404: "NOT_FOUND",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "SERVER_UNAVAILABLE",
}


class SalesforceService(Service):
    name = "salesforce"
    prefix = "/salesforce"

    def reset(self) -> None:
        self._records: dict[str, dict[str, Any]] = {}

    def state(self) -> Any:
        return {"records": self._records}

    def routes(self) -> list[Route]:
        return [
            self.route("/services/data/{version}/composite/sobjects/{sobject}/{external_id}", self._upsert, "upsert", ("PATCH",)),
            self.route("/services/data/{version}/sobjects/{sobject}/{external_id}/{value}", self._delete, "delete", ("DELETE",)),
        ]

    def unauthorized(self, call: ServiceCall) -> Response:
        return self.problem(401, call)

    def problem(self, status: int, call: ServiceCall) -> Response:
        return answer([{"message": f"HTTP {status}", "errorCode": _CODES.get(status, "UNKNOWN_EXCEPTION")}], status)

    def _upsert(self, call: ServiceCall) -> Response:
        body = call.json()
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list) or not records:
            return answer([{"message": "records are required", "errorCode": "JSON_PARSER_ERROR"}], 400)
        if len(records) > MAX_RECORDS:
            return answer([{"message": f"record limit of {MAX_RECORDS} exceeded", "errorCode": "LIMIT_EXCEEDED"}], 400)
        sobject, field = call.path("sobject"), call.path("external_id")
        return answer([self._one(each, sobject, field) for each in records])

    def _delete(self, call: ServiceCall) -> Response:
        gone = self._records.pop(call.path("value"), None)
        return answer(b"", 204) if gone else answer([{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}], 404)

    def _one(self, record: Any, sobject: str, field: str) -> dict[str, Any]:
        key = str(record.get(field) or "")
        if not key or record.get("attributes", {}).get("type") != sobject:
            return _refused("MISSING_ARGUMENT", f"{field} not specified", [field])
        failed = self.faults.hit(self.name, "item_error", "upsert", key, str(record))
        if failed is not None:
            return _refused(str(failed.body or "FIELD_CUSTOM_VALIDATION_EXCEPTION"), "refused", [])
        known = self._records.get(key)
        lacking = [name for name in ("LastName", "Company") if sobject == "Lead" and known is None and not record.get(name)]
        if lacking:
            return _refused("REQUIRED_FIELD_MISSING", f"Required fields are missing: {lacking}", lacking)
        self.meter.delivered(self.name, "upsert", key)
        values = {name: value for name, value in record.items() if name != "attributes"}
        stored = {"id": f"00Q{len(self._records):015d}", **(known or {}), **values}
        self._records[key] = stored
        return {"id": stored["id"], "success": True, "errors": [], "created": known is None}


def _refused(code: str, message: str, fields: list[str]) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": fields}]}

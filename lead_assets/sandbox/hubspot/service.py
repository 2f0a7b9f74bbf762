"""HubSpot: contacts upserted in batches, their search, and owners. Contacts are kept until reset, so that tests can inspect what arrived."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.service import Service, ServiceCall, answer

MAX_INPUTS = 100
OWNERS = (("6166860", "owner.one@sandbox.example"), ("6166861", "owner.two@sandbox.example"), ("6166862", "owner.three@sandbox.example"))


class HubSpotService(Service):
    name = "hubspot"
    prefix = "/hubspot"

    def reset(self) -> None:
        self._contacts: dict[str, dict[str, Any]] = {}

    def state(self) -> Any:
        return {"contacts": self._contacts}

    def routes(self) -> list[Route]:
        return [
            self.route("/crm/v3/objects/contacts/batch/upsert", self._upsert, "contacts/batch/upsert"),
            self.route("/crm/objects/{version}/contacts/batch/upsert", self._upsert, "contacts/batch/upsert"),
            self.route("/crm/v3/objects/contacts/search", self._search, "contacts/search"),
            self.route("/crm/v3/owners", self._owners, "owners", ("GET",)),
        ]

    def unauthorized(self, call: ServiceCall) -> Response:
        text = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
        return _error(401, text, "INVALID_AUTHENTICATION")

    def problem(self, status: int, call: ServiceCall) -> Response:
        if status == 429:
            body = {
                "status": "error",
                "message": "You have reached your ten_secondly_rolling limit.",
                "errorType": "RATE_LIMIT",
                "correlationId": str(uuid.uuid4()),
                "policyName": "TEN_SECONDLY_ROLLING",
                "requestId": str(uuid.uuid4()),
            }
            return answer(body, 429, _limits(call))
        return _error(
            status, f"HTTP {status}", {409: "CONFLICT", 403: "MISSING_SCOPES", 404: "OBJECT_NOT_FOUND"}.get(status, "VALIDATION_ERROR")
        )

    def _upsert(self, call: ServiceCall) -> Response:
        body = call.json()
        inputs = body.get("inputs") if isinstance(body, dict) else None
        if not isinstance(inputs, list) or not inputs or not all(_is_input(each) for each in inputs):
            return _error(400, "Invalid input JSON: inputs with id and properties are required", "VALIDATION_ERROR")
        if len(inputs) > MAX_INPUTS:
            return _error(400, f"The maximum number of inputs is {MAX_INPUTS}", "VALIDATION_ERROR")
        if len({str(each["id"]).lower() for each in inputs}) < len(inputs):
            return _error(400, "Duplicate ids in the batch", "VALIDATION_ERROR")
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        results, errors = [], []
        for each in inputs:
            wrong = self._wrong(each)
            if wrong is not None:
                errors.append(wrong)
                continue
            key = str(each["id"]).lower()
            self.meter.delivered(self.name, "contacts/batch/upsert", key)
            known = self._contacts.get(key)
            record = known or {"id": str(1000 + len(self._contacts)), "properties": {}, "createdAt": now, "archived": False}
            record["properties"].update(each["properties"])
            record["updatedAt"] = now
            self._contacts[key] = record
            trace = {"objectWriteTraceId": each["objectWriteTraceId"]} if each.get("objectWriteTraceId") else {}
            results.append({**record, "new": known is None, **trace})
        body = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if errors:
            return answer({**body, "numErrors": len(errors), "errors": errors}, 207, _limits(call))
        return answer(body, headers=_limits(call))

    def _wrong(self, each: dict[str, Any]) -> dict[str, Any] | None:
        """What is wrong with one input, as listed in a 207."""
        email = str(each["id"])
        failed = self.faults.hit(self.name, "item_error", "contacts/batch/upsert", email, str(each.get("objectWriteTraceId")))
        if failed is None and (each.get("idProperty") != "email" or ("@" in email and "." in email.rpartition("@")[2])):
            return None
        context = {"id": [email], **({"objectWriteTraceId": [each["objectWriteTraceId"]]} if each.get("objectWriteTraceId") else {})}
        return {
            "status": "error",
            "category": "VALIDATION_ERROR",
            "subCategory": "crm.validation.INVALID_EMAIL",
            "message": "Property values were not valid",
            "context": context,
            "errors": [],
            "links": {},
        }

    def _search(self, call: ServiceCall) -> Response:
        body = call.json() or {}
        wanted = [each for group in body.get("filterGroups", []) for each in group.get("filters", [])]
        found = [
            record
            for record in self._contacts.values()
            if all(str(record["properties"].get(each.get("propertyName"))) == str(each.get("value")) for each in wanted)
        ]
        return answer({"total": len(found), "results": found[: min(200, int(body.get("limit", 10)))]}, headers=_limits(call))

    def _owners(self, call: ServiceCall) -> Response:
        wanted = call.query.get("email")
        owners = [
            {
                "id": identifier,
                "email": email,
                "firstName": "Owner",
                "lastName": email.partition("@")[0].rpartition(".")[2].capitalize(),
                "type": "PERSON",
                "userId": int(identifier),
                "teams": [],
                "archived": False,
                "createdAt": "2026-01-01T00:00:00Z",
                "updatedAt": "2026-01-01T00:00:00Z",
            }
            for identifier, email in OWNERS
            if wanted in (None, "", email)
        ]
        return answer({"results": owners}, headers=_limits(call))


def _is_input(each: Any) -> bool:
    return isinstance(each, dict) and bool(each.get("id")) and isinstance(each.get("properties"), dict)


def _error(status: int, message: str, category: str) -> Response:
    return answer({"status": "error", "message": message, "correlationId": str(uuid.uuid4()), "category": category}, status)


def _limits(call: ServiceCall) -> dict[str, str]:
    limit, left, _ = call.limits or (190, 189, 10.0)
    return {
        "x-hubspot-ratelimit-daily": "650000",
        "x-hubspot-ratelimit-daily-remaining": "649000",
        "x-hubspot-ratelimit-interval-milliseconds": "10000",
        "x-hubspot-ratelimit-max": str(limit),
        "x-hubspot-ratelimit-remaining": str(left),
    }

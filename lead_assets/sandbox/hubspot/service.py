"""HubSpot: contacts upserted in batches, their search, and owners. Contacts are kept until reset, so that tests can inspect what arrived."""

from __future__ import annotations

import uuid
import zlib
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.service import Service, ServiceCall, answer

MAX_INPUTS = 100
LISTED = 50
"""Contacts of a deal that are listed with it."""
OWNERS = (("6166860", "owner.one@sandbox.example"), ("6166861", "owner.two@sandbox.example"), ("6166862", "owner.three@sandbox.example"))


class HubSpotService(Service):
    name = "hubspot"
    prefix = "/hubspot"

    def reset(self) -> None:
        self._contacts: dict[str, dict[str, Any]] = {}
        self._notes: list[dict[str, Any]] = []
        self._deals: list[dict[str, Any]] = []

    def state(self) -> Any:
        return {"contacts": self._contacts, "notes": self._notes}

    def routes(self) -> list[Route]:
        return [
            self.route("/crm/v3/objects/contacts/batch/upsert", self._upsert, "contacts/batch/upsert"),
            self.route("/crm/objects/{version}/contacts/batch/upsert", self._upsert, "contacts/batch/upsert"),
            self.route("/crm/v3/objects/contacts/batch/update", self._update, "contacts/batch/update"),
            self.route("/crm/v3/objects/contacts/batch/read", self._read, "contacts/batch/read"),
            self.route("/crm/v3/objects/contacts/search", self._search, "contacts/search"),
            self.route("/crm/v3/objects/contacts/gdpr-delete", self._gdpr_delete, "contacts/gdpr-delete"),
            self.route("/crm/v3/objects/notes/batch/create", self._create_notes, "notes/batch/create"),
            self.route("/crm/v3/objects/notes/search", self._search_notes, "notes/search"),
            self.route("/crm/v3/objects/deals/batch/create", self._create_deals, "deals/batch/create"),
            self.route("/crm/v3/objects/deals", self._deals_page, "deals", ("GET",)),
            self.route("/crm/v4/objects/deals/{deal}/associations/contacts", self._contacts_of_deal, "deals/contacts", ("GET",)),
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
        return self._write(call, "contacts/batch/upsert")

    def _update(self, call: ServiceCall) -> Response:
        return self._write(call, "contacts/batch/update")

    def _write(self, call: ServiceCall, operation: str) -> Response:
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
            wrong = self._wrong(each, operation)
            if wrong is not None:
                errors.append(wrong)
                continue
            key = str(each["id"]).lower()
            self.meter.delivered(self.name, operation, key)
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

    def _wrong(self, each: dict[str, Any], operation: str) -> dict[str, Any] | None:
        """What is wrong with one input, as listed in a 207. The body of an injected fault replaces what it says."""
        email = str(each["id"])
        failed = self.faults.hit(self.name, "item_error", operation, email, str(each.get("objectWriteTraceId")))
        if operation.endswith("update") and email.lower() not in self._contacts:
            return {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": "Could not get some CONTACT objects",
                "context": {"ids": [email]},
            }
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
            **(failed.body if failed is not None and isinstance(failed.body, dict) else {}),
        }

    def _gdpr_delete(self, call: ServiceCall) -> Response:
        body = call.json() or {}
        if not body.get("objectId"):
            return _error(400, "Invalid input JSON: objectId is required", "VALIDATION_ERROR")
        by_email = body.get("idProperty") == "email"
        name = str(body["objectId"]).lower()
        self._contacts = {email: record for email, record in self._contacts.items() if name != (email if by_email else str(record["id"]))}
        return Response(status_code=204)

    def _read(self, call: ServiceCall) -> Response:
        body = call.json() or {}
        wanted = [str(each.get("id")).lower() for each in body.get("inputs", [])]
        if len(wanted) > MAX_INPUTS:
            return _error(400, f"The maximum number of inputs is {MAX_INPUTS}", "VALIDATION_ERROR")
        names = {"email", *body.get("properties", [])}
        known = self._contacts if body.get("idProperty") == "email" else {str(each["id"]): each for each in self._contacts.values()}
        found = [known[key] for key in wanted if key in known]
        results = [{**each, "properties": {name: each["properties"].get(name) for name in names}} for each in found]
        answered = {"status": "COMPLETE", "results": results}
        missing = [key for key in wanted if key not in known]
        if missing:
            error = {
                "status": "error",
                "category": "OBJECT_NOT_FOUND",
                "message": "Could not get some CONTACT objects",
                "context": {"ids": missing},
            }
            return answer({**answered, "numErrors": 1, "errors": [error]}, 207, _limits(call))
        return answer(answered, headers=_limits(call))

    def _create_notes(self, call: ServiceCall) -> Response:
        body = call.json()
        inputs = body.get("inputs") if isinstance(body, dict) else None
        if not isinstance(inputs, list) or not inputs or len(inputs) > MAX_INPUTS:
            return _error(400, f"1 to {MAX_INPUTS} inputs are required", "VALIDATION_ERROR")
        ids = {record["id"] for record in self._contacts.values()}
        results = []
        for each in inputs:
            to = [str(link["to"]["id"]) for link in each.get("associations", [])]
            if not each.get("properties", {}).get("hs_timestamp") or not set(to) <= ids:
                return _error(400, "hs_timestamp and existing records are required", "VALIDATION_ERROR")
            note = {"id": str(50_000 + len(self._notes)), "properties": each["properties"], "contacts": to}
            self._notes.append(note)
            self.meter.delivered(self.name, "notes/batch/create", f"{to} {each['properties']['hs_timestamp']}")
            trace = {"objectWriteTraceId": each["objectWriteTraceId"]} if each.get("objectWriteTraceId") else {}
            results.append({"id": note["id"], "properties": each["properties"], "archived": False, **trace})
        return answer({"status": "COMPLETE", "results": results}, 201, _limits(call))

    def _search_notes(self, call: ServiceCall) -> Response:
        wanted = {
            each["propertyName"]: str(each["value"])
            for group in (call.json() or {}).get("filterGroups", [])
            for each in group.get("filters", [])
        }
        contact = wanted.pop("associations.contact", None)
        found = [
            note
            for note in self._notes
            if (contact is None or contact in note["contacts"])
            and all(str(note["properties"].get(name)) == value for name, value in wanted.items())
        ]
        return answer({"total": len(found), "results": [{"id": note["id"], "properties": note["properties"]} for note in found]})

    def _create_deals(self, call: ServiceCall) -> Response:
        """Deals as somebody makes them in HubSpot; a stage whose name begins with "closed" closes a deal."""
        inputs = (call.json() or {}).get("inputs") or []
        for each in inputs:
            stage = str(each["properties"].get("dealstage"))
            ended = {"hs_is_closed": str(stage.startswith("closed")).lower(), "hs_is_closed_won": str(stage == "closedwon").lower()}
            contacts = [str(link["to"]["id"]) for link in each.get("associations", [])]
            self._deals.append({"id": str(90_000 + len(self._deals)), "properties": {**ended, **each["properties"]}, "contacts": contacts})
        return answer({"status": "COMPLETE", "results": self._deals[len(self._deals) - len(inputs) :]}, 201, _limits(call))

    def _deals_page(self, call: ServiceCall) -> Response:
        limit, after = int(call.query.get("limit", "10")), int(call.query.get("after", "0"))
        if limit > MAX_INPUTS:
            return _error(400, f"Invalid input: limit must be at most {MAX_INPUTS}", "VALIDATION_ERROR")
        names = [name for name in call.query.get("properties", "").split(",") if name]
        results = []
        for deal in self._deals[after : after + limit]:
            shown = {"id": deal["id"], "properties": {name: deal["properties"].get(name) for name in names}, "archived": False}
            if "contacts" in call.query.get("associations", "").split(",") and deal["contacts"]:
                labels = ("deal_to_contact", "deal_to_contact_unlabeled")
                linked = [{"id": contact, "type": label} for contact in deal["contacts"][:LISTED] for label in labels]
                rest = {"paging": {"next": {"after": str(LISTED), "link": "?after="}}} if len(deal["contacts"]) > LISTED else {}
                shown["associations"] = {"contacts": {"results": linked, **rest}}
            results.append(shown)
        more = {"paging": {"next": {"after": str(after + limit), "link": "?after="}}} if after + limit < len(self._deals) else {}
        return answer({"results": results, **more}, headers=_limits(call))

    def _contacts_of_deal(self, call: ServiceCall) -> Response:
        wanted = call.path("deal")
        limit, after = int(call.query.get("limit", "500")), int(call.query.get("after", "0"))
        contacts: list[str] = next((deal["contacts"] for deal in self._deals if deal["id"] == wanted), [])
        kind = {"category": "HUBSPOT_DEFINED", "typeId": 3, "label": None}
        results = [{"toObjectId": contact, "associationTypes": [kind]} for contact in contacts[after : after + limit]]
        more = {"paging": {"next": {"after": str(after + limit), "link": "?after="}}} if after + limit < len(contacts) else {}
        return answer({"results": results, **more}, headers=_limits(call))

    def _search(self, call: ServiceCall) -> Response:
        body = call.json() or {}
        groups = [group.get("filters", []) for group in body.get("filterGroups", [])]
        found = [
            record for record in self._contacts.values() if any(all(_meets(record, each) for each in group) for group in groups or [[]])
        ]
        if body.get("sorts"):
            found.sort(key=lambda record: int(record["id"]))
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
            for identifier, email in _owners_of(wanted)
        ]
        return answer({"results": owners}, headers=_limits(call))


def _owners_of(wanted: str | None) -> list[tuple[str, str]]:
    """The three owners, or the one with this address. Whoever else has an address at sandbox.example is an owner, too."""
    known = [(identifier, email) for identifier, email in OWNERS if wanted in (None, "", email)]
    if not known and wanted and wanted.endswith("@sandbox.example"):
        known = [(str(7_000_000 + zlib.crc32(wanted.encode()) % 1_000_000), wanted)]
    return known


def _meets(record: dict[str, Any], wanted: dict[str, Any]) -> bool:
    name = wanted.get("propertyName")
    value = record["id"] if name == "hs_object_id" else record["properties"].get(name)
    match wanted.get("operator"):
        case "HAS_PROPERTY":
            return bool(value)
        case "GT":
            return value is not None and float(value) > float(wanted["value"])
    return str(value) == str(wanted.get("value"))


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

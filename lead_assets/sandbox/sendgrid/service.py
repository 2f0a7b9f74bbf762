"""SendGrid Marketing: contacts upserted as a job, and the job's result; contacts searched by address and deleted; lists of whom it writes to no more.

Contacts are kept by e-mail until reset. One whose address begins with bounced, unsubscribed, complained or invalid is on the list of that kind.
"""

from __future__ import annotations

import time
import uuid
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.service import Service, ServiceCall, answer

MAX_CONTACTS, MAX_BYTES = 30_000, 6_000_000
_JOB_SECONDS = 0.1
_SUPPRESSED = {"bounces": "bounced", "unsubscribes": "unsubscribed", "spam_reports": "complained", "invalid_emails": "invalid"}
"""List of whom it writes to no more → how the addresses of contacts on it begin."""


class SendGridService(Service):
    name = "sendgrid"
    prefix = "/sendgrid"

    def reset(self) -> None:
        self._contacts: dict[str, dict[str, Any]] = {}
        self._jobs: dict[str, tuple[float, dict[str, Any]]] = {}

    def state(self) -> Any:
        return {"contacts": self._contacts}

    def routes(self) -> list[Route]:
        return [
            self.route("/v3/marketing/contacts", self._upsert, "contacts", ("PUT",)),
            self.route("/v3/marketing/contacts", self._delete, "contacts/delete", ("DELETE",)),
            self.route("/v3/marketing/contacts/search/emails", self._search, "contacts/search"),
            self.route("/v3/suppression/{listed}", self._suppressed, lambda call: (f"suppression/{call.path('listed')}",), ("GET",)),
            self.route("/v3/marketing/contacts/imports/{job_id}", self._job, "imports", ("GET",)),
        ]

    def unauthorized(self, call: ServiceCall) -> Response:
        return _errors(401, "The provided authorization grant is invalid, expired, or revoked")

    def problem(self, status: int, call: ServiceCall) -> Response:
        return _errors(status, "too many requests" if status == 429 else f"HTTP {status}")

    def _upsert(self, call: ServiceCall) -> Response:
        body = call.json()
        contacts = body.get("contacts") if isinstance(body, dict) else None
        if not isinstance(contacts, list) or not contacts:
            return _errors(400, "contacts are required", "contacts")
        if len(contacts) > MAX_CONTACTS or len(call.body) > MAX_BYTES:
            return _errors(400, f"at most {MAX_CONTACTS} contacts or {MAX_BYTES} bytes", "contacts")
        for index, contact in enumerate(contacts):
            names = ("email", "phone_number_id", "external_id", "anonymous_id")
            if not isinstance(contact, dict) or not any(contact.get(name) for name in names):
                return _errors(400, "at least one identifier is required", f"contacts[{index}]")
        created = updated = errored = 0
        for contact in contacts:
            key = str(
                contact.get("email") or contact.get("external_id") or contact.get("phone_number_id") or contact["anonymous_id"]
            ).lower()
            if self.faults.hit(self.name, "item_error", "contacts", key):
                errored += 1
                continue
            created, updated = (created, updated + 1) if key in self._contacts else (created + 1, updated)
            self._contacts[key] = {**self._contacts.get(key, {}), **contact}
            self.meter.delivered(self.name, "contacts", key)
        job_id = str(uuid.uuid4())
        results = {
            "requested_count": len(contacts),
            "created_count": created,
            "updated_count": updated,
            "deleted_count": 0,
            "errored_count": errored,
            "errors_url": f"{call.origin}{self.prefix}/errors/{job_id}" if errored else "",
        }
        self._jobs[job_id] = (time.time(), results)
        return answer({"job_id": job_id}, 202)

    def _search(self, call: ServiceCall) -> Response:
        emails = [str(each).lower() for each in (call.json() or {}).get("emails") or ()]
        if not 0 < len(emails) <= 100:
            return _errors(400, "1 to 100 emails are required", "emails")
        found = {email: {"contact": {"id": _id(email), "email": email}} for email in emails if email in self._contacts}
        missing = {email: {"error": "contact not found"} for email in emails if email not in self._contacts}
        return answer({"result": {**found, **missing}}) if found else _errors(404, "contact not found")

    def _delete(self, call: ServiceCall) -> Response:
        ids = [each for each in call.query.get("ids", "").split(",") if each]
        if not ids:
            return _errors(400, "ids or delete_all_contacts is required", "ids")
        self._contacts = {email: contact for email, contact in self._contacts.items() if _id(email) not in ids}
        return answer({"job_id": str(uuid.uuid4())}, 202)

    def _suppressed(self, call: ServiceCall) -> Response:
        if call.path("listed") not in _SUPPRESSED:
            return self.problem(404, call)
        limit, offset = int(call.query.get("limit") or 500), int(call.query.get("offset") or 0)
        found = [email for email in self._contacts if email.startswith(_SUPPRESSED[call.path("listed")])]
        return answer([{"created": 1_790_000_000, "email": email} for email in found[offset : offset + limit]])

    def _job(self, call: ServiceCall) -> Response:
        if call.path("job_id") not in self._jobs:
            return _errors(404, "import job not found")
        started, results = self._jobs[call.path("job_id")]
        done = time.time() - started >= _JOB_SECONDS
        status = "pending" if not done else "errored" if results["errored_count"] else "completed"
        finished = {"results": results, "finished_at": _shown(started + _JOB_SECONDS)} if done else {}
        return answer({"id": call.path("job_id"), "status": status, "job_type": "upsert", "started_at": _shown(started), **finished})


def _id(email: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, email))


def _shown(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _errors(status: int, message: str, field: str | None = None) -> Response:
    return answer({"errors": [{"message": message, "field": field, "help": None}]}, status)

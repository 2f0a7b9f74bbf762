"""Aturiya: campaigns and their paged leads. There is no public official documentation; the format is inferred from a public third-party client.

The campaigns come from a JSON file, `{"campaigns": [{"id", "name", "leads": [...]}]}`; without one, two small ones are made up.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.faults import Faults
from lead_assets.sandbox.meter import Meter
from lead_assets.sandbox.service import Service, ServiceCall, answer
from lead_assets.sandbox.world import company

_FIXTURE = Path(__file__).resolve().parents[3] / "fixtures" / "campaign_api.json"
_MAX_PER_PAGE = 100


def read_campaigns(path: Path | None) -> list[dict[str, Any]]:
    """The campaigns in a file; without a file, those in the repository's fixture, or else made-up ones."""
    if path is None and _FIXTURE.exists():
        path = _FIXTURE
    if path is None:
        return _made_up()
    try:
        campaigns = json.loads(path.read_text("utf-8"))["campaigns"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f'campaigns file {path}: {type(error).__name__}; expected {{"campaigns": [{{"id", "name", "leads"}}]}}') from error
    assert isinstance(campaigns, list)
    return campaigns


class AturiyaService(Service):
    name = "aturiya"
    prefix = "/aturiya"

    def __init__(self, meter: Meter, faults: Faults, hang_up: Callable[[Request], None], campaigns: list[dict[str, Any]]) -> None:
        super().__init__(meter, faults, hang_up)
        self._campaigns = campaigns

    def routes(self) -> list[Route]:
        agent = "/users/{user_id}/agents/sdr/{agent_id}"
        return [
            self.route(
                "/users/auth/me", lambda call: answer({"full_name": "Sandbox User", "email": "user@sandbox.example"}), "me", ("GET",)
            ),
            self.route(agent + "/campaigns", self._list, "campaigns", ("GET",)),
            self.route(agent + "/leads", self._leads, "leads", ("GET",)),
        ]

    def unauthorized(self, call: ServiceCall) -> Response:
        return answer({"detail": "Not authenticated"}, 401)

    def problem(self, status: int, call: ServiceCall) -> Response:
        return answer({"detail": "Too many requests" if status == 429 else f"Error {status}"}, status)

    def _list(self, call: ServiceCall) -> Response:
        shown = [{"id": item["id"], "name": item.get("name"), "total_leads": len(item.get("leads", []))} for item in self._campaigns]
        return answer({"data": shown})

    def _leads(self, call: ServiceCall) -> Response:
        try:
            page, per_page = int(call.query.get("page", 1)), int(call.query.get("per_page", 50))
        except ValueError:
            return answer({"detail": "page and per_page must be whole numbers"}, 422)
        if page < 1 or not 1 <= per_page <= _MAX_PER_PAGE:
            return answer({"detail": f"page starts at 1 and per_page lies between 1 and {_MAX_PER_PAGE}"}, 422)
        wanted = call.query.get("campaign_id")
        chosen = [item for item in self._campaigns if wanted in (None, "", str(item["id"]))]
        if not chosen:
            return answer({"detail": "Campaign not found"}, 404)
        leads = [lead for item in chosen for lead in item.get("leads", [])]
        pages = max(1, math.ceil(len(leads) / per_page))
        data = leads[(page - 1) * per_page : page * per_page]
        return answer({"data": data, "pagination": {"page": page, "total_pages": pages, "has_next_page": page < pages}})


def _made_up() -> list[dict[str, Any]]:
    campaigns = []
    for number, (campaign_id, name, size) in enumerate((("cmp_sandbox_1", "Sandbox RevOps", 7), ("cmp_sandbox_2", "Sandbox Lending", 4))):
        leads = []
        for index in range(size):
            facts = company(f"sandbox-{campaign_id[-1]}{index}.example")
            person = facts.people[0]
            leads.append(
                {
                    "lead_id": f"ld_{number}{index:03d}",
                    "agent_id": "ag_sandbox",
                    "campaign_id": campaign_id,
                    "campaign_name": name,
                    "task_id": None,
                    "task_status": None,
                    "name": person.name,
                    "email": person.email,
                    "phone": None,
                    "organization": facts.name,
                    "designation": person.title,
                    "linkedin_url": person.linkedin_url if index % 3 else None,
                    "website": f"https://{facts.domain}",
                    "status": "new",
                    "type": None,
                    "created_at": f"2026-10-{index + 1:02d}T09:00:00Z",
                }
            )
        campaigns.append({"id": campaign_id, "name": name, "leads": leads})
    return campaigns

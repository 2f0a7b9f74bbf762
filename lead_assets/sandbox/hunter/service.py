"""Hunter: domain search, e-mail finder, e-mail verifier, account.

Everything is a GET. 403 means too fast, 429 means that the month's quota is used up. Addresses whose local part contains `do-not-process` belong to people who
asked Hunter not to be processed (451). A few addresses take the verifier two attempts: first it answers 202.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.chance import Dice
from lead_assets.sandbox.service import Service, ServiceCall, answer
from lead_assets.sandbox.world import FREE_MAIL, Company, MadeUpPerson, company, domain_of, slug_of, slugged

CREDIT_NANOS = 34_000_000
"""An assumption: Hunter's price per credit depends on the plan; 3.4 US cents here."""
CLAIMED = "do-not-process"
_DISPOSABLE = frozenset(("mailinator.com", "10minutemail.com", "guerrillamail.com", "yopmail.com"))
_ERRORS = {
    400: ("wrong_params", "You are missing a parameter or one is wrong."),
    401: ("authentication_failed", "No user found for the API key supplied"),
    403: ("too_many_requests", "You have reached the rate limit of this endpoint."),
    404: ("not_found", "The resource you are looking for could not be found."),
    422: ("invalid", "The creation failed."),
    429: ("too_many_requests", "You've reached the limit for the number of searches per billing period included in your plan."),
    451: ("claimed_email", "The person asked us not to process their personal data."),
}


class HunterService(Service):
    name = "hunter"
    prefix = "/hunter/v2"

    def reset(self) -> None:
        self._asked: set[str] = set()

    def routes(self) -> list[Route]:
        return [
            self.route("/domain-search", self._domain_search, "domain-search", ("GET",)),
            self.route("/email-finder", self._find, "email-finder", ("GET",)),
            self.route("/email-verifier", self._verify, "email-verifier", ("GET",)),
            self.route("/account", self._account, "account", ("GET",)),
        ]

    def credential(self, call: ServiceCall) -> str | None:
        return call.request.headers.get("x-api-key") or super().credential(call) or call.query.get("api_key")

    def unauthorized(self, call: ServiceCall) -> Response:
        return self.problem(401, call)

    def problem(self, status: int, call: ServiceCall) -> Response:
        identifier, details = _ERRORS.get(status, ("server_error", f"HTTP {status}"))
        return answer({"errors": [{"id": identifier, "code": status, "details": details}]}, status)

    def too_fast(self, call: ServiceCall, retry_after: float) -> Response:
        return self.problem(403, call)  # no Retry-After: Hunter sends none

    def _domain_search(self, call: ServiceCall) -> Response:
        domain = domain_of(call.query.get("domain") or "") or _domain_of_name(call.query.get("company"))
        try:
            limit, offset = int(call.query.get("limit", 10)), int(call.query.get("offset", 0))
        except ValueError:
            return self.problem(400, call)
        if not domain or not 1 <= limit <= 100:
            return self.problem(400, call)
        facts = company(domain)
        found = [] if domain in FREE_MAIL else [each for each in facts.people if _passes(each, call)]
        page = found[offset : offset + limit]
        for first in range(0, len(page), 10):
            self.meter.charge(self.name, "domain-search", f"{domain} {offset + first}", CREDIT_NANOS)
        data = {
            "domain": domain,
            "disposable": domain in _DISPOSABLE,
            "webmail": domain in FREE_MAIL,
            "accept_all": facts.accept_all,
            "pattern": facts.mail_pattern,
            "organization": facts.name,
            "description": facts.description,
            "industry": facts.industry.name,
            "twitter": None,
            "facebook": None,
            "linkedin": f"https://linkedin.com/company/{domain.partition('.')[0]}",
            "instagram": None,
            "youtube": None,
            "technologies": facts.technologies,
            "country": facts.country,
            "state": facts.state,
            "city": facts.city,
            "postal_code": facts.postal_code,
            "street": None,
            "headcount": facts.headcount_band,
            "company_type": "privately held",
            "emails": [_listed(each, facts) for each in page],
        }
        meta = {"results": len(found), "limit": limit, "offset": offset, "params": {"domain": domain, "company": call.query.get("company")}}
        return answer({"data": data, "meta": meta})

    def _find(self, call: ServiceCall) -> Response:
        query = call.query
        first, last = query.get("first_name") or "", query.get("last_name") or ""
        if not first and query.get("full_name"):
            first, _, last = query["full_name"].strip().partition(" ")
        if not first and query.get("linkedin_handle"):
            first, _, last = slug_of(query["linkedin_handle"]).partition("-")
        domain = domain_of(query.get("domain") or "") or _domain_of_name(query.get("company"))
        if not domain or not first or not last:
            return self.problem(400, call)
        facts = company(domain)
        who = facts.person(first, last)
        if CLAIMED in slugged(f"{first}-{last}"):
            return self.problem(451, call)
        if self.faults.hit(self.name, "pending", "email-finder", domain):
            return answer({"data": {}, "meta": {"params": {"domain": domain}}}, 202)
        found = domain not in FREE_MAIL and not facts.dice.chance(f"finder misses {who.slug}", 0.3)
        data: dict[str, Any] = {
            "first_name": first,
            "last_name": last,
            "email": who.email if found else None,
            "score": (70 if facts.accept_all else 94) if found else None,
            "domain": domain,
            "accept_all": facts.accept_all,
            "position": who.title if found else None,
            "twitter": None,
            "linkedin_url": who.linkedin_url if found else None,
            "phone_number": None,
            "company": facts.name,
            "sources": [],
            "verification": {"date": "2026-11-01", "status": "accept_all" if facts.accept_all else "valid"} if found else None,
        }
        if found:
            self.meter.charge(self.name, "email-finder", who.email, CREDIT_NANOS)
        return answer({"data": data, "meta": {"params": {"domain": domain, "first_name": first, "last_name": last}}})

    def _verify(self, call: ServiceCall) -> Response:
        email = str(call.query.get("email") or "").strip().lower()
        if not email:
            return self.problem(400, call)
        if CLAIMED in email:
            return self.problem(451, call)
        slow = Dice("verifier", email).chance("slow", 0.05) and email not in self._asked
        self._asked.add(email)
        if slow or self.faults.hit(self.name, "pending", "email-verifier", email):
            return answer({"data": {"email": email, "status": None}, "meta": {"params": {"email": email}}}, 202)
        status, score = verdict(email)
        if status in ("valid", "invalid", "accept_all"):
            self.meter.charge(self.name, "email-verifier", email, CREDIT_NANOS // 2)
        reached = status in ("valid", "accept_all", "webmail")
        data = {
            "status": status,
            "result": {"valid": "deliverable", "webmail": "deliverable", "invalid": "undeliverable"}.get(status, "risky"),
            "score": score,
            "email": email,
            "regexp": bool(_PLAUSIBLE.fullmatch(email)),
            "gibberish": False,
            "disposable": status == "disposable",
            "webmail": status == "webmail",
            "mx_records": status != "invalid" or bool(_PLAUSIBLE.fullmatch(email)),
            "smtp_server": reached,
            "smtp_check": reached,
            "accept_all": status == "accept_all",
            "block": False,
            "sources": [],
        }
        return answer({"data": data, "meta": {"params": {"email": email}}})

    def _account(self, call: ServiceCall) -> Response:
        report = self.meter.report().get(self.name, {})
        used = {name: report.get(name, {}).get("billed", 0) for name in ("domain-search", "email-finder", "email-verifier")}
        searches = used["domain-search"] + used["email-finder"]
        data = {
            "first_name": "Sandbox",
            "last_name": "User",
            "email": "user@sandbox.example",
            "plan_name": "Sandbox",
            "plan_level": 1,
            "reset_date": "2026-12-01",
            "team_id": 1,
            "calls": {"used": sum(used.values()), "available": 50_000},
            "requests": {
                "searches": {"used": searches, "available": 50_000},
                "verifications": {"used": used["email-verifier"], "available": 50_000},
                "credits": {"used": searches + used["email-verifier"] / 2, "available": 50_000},
            },
        }
        return answer({"data": data})


_PLAUSIBLE = re.compile(r"[a-z0-9][a-z0-9._%+-]*@[a-z0-9-]+(\.[a-z0-9-]+)+")


def verdict(email: str) -> tuple[str, int]:
    """The verifier's status and score: an address in the company's own pattern is nearly always valid, any other hardly ever."""
    local, _, domain = email.partition("@")
    if not _PLAUSIBLE.fullmatch(email):
        return "invalid", 0
    if domain in _DISPOSABLE:
        return "disposable", 20
    if domain in FREE_MAIL:
        return "webmail", 75
    facts, dice = company(domain), Dice("verifier", email)
    if dice.chance("no answer", 0.04):
        return "unknown", 50
    if facts.accept_all:
        return "accept_all", 68
    fits = bool(_shape(facts.mail_pattern).fullmatch(local))
    return ("valid", 96) if dice.chance("valid", 0.93 if fits else 0.06) else ("invalid", 4)


def _shape(pattern: str) -> re.Pattern[str]:
    """The shape of addresses in a company's pattern; without a separator, initials cannot be told from names."""
    return re.compile(r"[a-z]+\.[a-z]+" if pattern == "{first}.{last}" else r"[a-z]+")


def _domain_of_name(name: str | None) -> str:
    return f"{slugged(name)}.com" if name else ""


def _passes(who: MadeUpPerson, call: ServiceCall) -> bool:
    seniority = {"c_suite": "executive", "founder": "executive", "vp": "executive", "entry": "junior"}.get(who.seniority, "senior")
    wanted = call.query.get("seniority")
    return call.query.get("type") != "generic" and (not wanted or seniority in wanted.split(","))


def _listed(who: MadeUpPerson, facts: Company) -> dict[str, Any]:
    return {
        "value": who.email,
        "type": "personal",
        "confidence": 70 if facts.accept_all else 94,
        "sources": [],
        "first_name": who.first_name,
        "last_name": who.last_name,
        "position": who.title,
        "seniority": "executive" if who.seniority in ("c_suite", "founder", "vp") else "senior",
        "department": who.department.removeprefix("master_"),
        "linkedin": who.linkedin_url,
        "twitter": None,
        "phone_number": None,
        "verification": {"date": "2026-11-01", "status": "accept_all" if facts.accept_all else "valid"},
    }

"""Apollo: organizations, people, searches, job postings, news and usage. How its records look is in `apollo_records`.

Belongs here: the HTTP contract, who is known, what is charged. Filters are accepted in the query and in a JSON body, with and without `[]`.
"""

from __future__ import annotations

import json
import math
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.apollo.records import (
    job_posting,
    news_article,
    organization,
    organization_domain,
    person,
    person_of_id,
    person_teaser,
)
from lead_assets.sandbox.chance import Dice
from lead_assets.sandbox.service import Service, ServiceCall, answer
from lead_assets.sandbox.universe import FILTERS, find_companies
from lead_assets.sandbox.world import FREE_MAIL, Company, MadeUpPerson, company, domain_of, name_of_slug, slug_of, slugged

CREDIT_NANOS = 20_000_000
"""An assumption: Apollo's price per credit depends on the plan; two US cents here."""
MAX_BULK = 10
_UNKNOWN_ORGANIZATIONS, _UNKNOWN_PEOPLE = 0.08, 0.22
_UNAUTHORIZED = "Invalid API key. See https://docs.apollo.io/reference/authentication for how to authenticate."


class ApolloService(Service):
    name = "apollo"
    prefix = "/apollo/api/v1"

    def routes(self) -> list[Route]:
        return [
            self.route("/auth/health", lambda call: answer({"is_logged_in": True}), "health", ("GET",)),
            self.route("/organizations/enrich", self._organization, "organizations/enrich", ("GET",)),
            self.route("/organizations/bulk_enrich", self._organizations, "organizations/bulk_enrich"),
            self.route("/organizations/{id}/job_postings", self._postings, "job_postings", ("GET",)),
            self.route("/people/match", self._match, "people/match"),
            self.route("/people/bulk_match", self._bulk_match, "people/bulk_match"),
            self.route("/mixed_people/api_search", self._search_people, "mixed_people/api_search"),
            self.route("/mixed_companies/search", self._search_companies, "mixed_companies/search"),
            self.route("/news_articles/search", self._news, "news_articles/search"),
            self.route("/usage_stats/credit_usage_stats", self._credit_usage, "credit_usage_stats"),
            self.route("/usage_stats/api_usage_stats", self._api_usage, "api_usage_stats"),
        ]

    def credential(self, call: ServiceCall) -> str | None:
        return call.request.headers.get("x-api-key") or super().credential(call)

    def unauthorized(self, call: ServiceCall) -> Response:
        return answer(_UNAUTHORIZED, 401, media_type="text/plain")

    def problem(self, status: int, call: ServiceCall) -> Response:
        if status == 401:
            return self.unauthorized(call)
        path = call.request.url.path.removeprefix("/apollo/")
        if status == 403:
            return answer({"error": f"This API key is not authorized to access {path}", "error_code": "API_INACCESSIBLE"}, 403)
        if status == 429:
            text = f"The maximum number of api calls allowed for {path} is 600 times per hour. Please upgrade your plan."
            return answer({"message": text}, 429)
        return answer({"error": f"HTTP {status}"}, status)

    def too_fast(self, call: ServiceCall, retry_after: float) -> Response:
        response = super().too_fast(call, retry_after)
        response.headers.update(_limits(call))
        return response

    # --- organizations ---

    def _organization(self, call: ServiceCall) -> Response:
        domain = domain_of(str(call.query.get("domain") or call.query.get("website") or ""))
        if not domain:
            return answer({"error": "Required parameter 'domain' missing"}, 422, _limits(call))
        return answer({"organization": self._sold_organization("organizations/enrich", domain)}, headers=_limits(call))

    def _organizations(self, call: ServiceCall) -> Response:
        asked = _filter(call, "domains") or [item.get("domain") or item.get("website") or "" for item in _filter(call, "details")]
        if not asked:
            return _failed(422, "UNKNOWN_ERROR", "domains missing", call)
        if len(asked) > MAX_BULK:
            return _failed(400, "RECORD_LIMIT_EXCEEDED", f"cannot enrich more than {MAX_BULK} in a single request", call)
        domains = [domain_of(str(each)) for each in asked]
        found = {domain: self._sold_organization("organizations/bulk_enrich", domain) for domain in dict.fromkeys(domains)}
        sold = sum(each is not None for each in found.values())
        body = {
            **_SUCCESS,
            "total_requested_domains": len(domains),
            "unique_domains": len(found),
            "unique_enriched_records": sold,
            "missing_records": len(found) - sold,
            "credits_consumed": sold,
            "organizations": [found[domain] for domain in domains],
        }
        return answer(body, headers=_limits(call))

    def _sold_organization(self, operation: str, domain: str) -> dict[str, Any] | None:
        facts = company(domain)
        if not domain or domain in FREE_MAIL or not _knows(facts):
            return None
        self.meter.charge(self.name, operation, domain, CREDIT_NANOS)
        return organization(facts)

    def _postings(self, call: ServiceCall) -> Response:
        domain = organization_domain(call.path("id"))
        if domain is None:
            return answer({"error": "Organization not found"}, 404, _limits(call))
        self.meter.charge(self.name, "job_postings", domain, CREDIT_NANOS)
        page, per_page = _paging(call, 10_000)
        postings = company(domain).postings[(page - 1) * per_page : page * per_page]
        return answer({"organization_job_postings": [job_posting(each, domain) for each in postings]}, headers=_limits(call))

    def _news(self, call: ServiceCall) -> Response:
        articles = []
        for each in _filter(call, "organization_ids"):
            domain = organization_domain(str(each))
            if domain is not None:
                self.meter.charge(self.name, "news_articles/search", domain, CREDIT_NANOS)
                articles += [news_article(item, company(domain)) for item in company(domain).news]
        page, per_page = _paging(call, 25)
        shown = articles[(page - 1) * per_page : page * per_page]
        return answer({"pagination": _pagination(page, per_page, len(articles)), "news_articles": shown}, headers=_limits(call))

    # --- people ---

    def _match(self, call: ServiceCall) -> Response:
        details = {**(call.json() or {}), **dict(call.query)}
        found = self._sold_person("people/match", details)
        return answer(
            {"person": found, "request_id": Dice("match", json.dumps(details, default=str)).number("request")}, headers=_limits(call)
        )

    def _bulk_match(self, call: ServiceCall) -> Response:
        asked = _filter(call, "details")
        if not asked:
            return _failed(400, "INVALID_REQUEST", "details missing", call)
        if len(asked) > MAX_BULK:
            return _failed(400, "RECORD_LIMIT_EXCEEDED", f"cannot enrich more than {MAX_BULK} in a single request", call)
        matches = [self._sold_person("people/bulk_match", details) for details in asked]
        sold = sum(each is not None for each in matches)
        body = {
            **_SUCCESS,
            "total_requested_enrichments": len(asked),
            "unique_enriched_records": sold,
            "missing_records": len(asked) - sold,
            "credits_consumed": sold,
            "matches": matches,
            "request_id": Dice("bulk", json.dumps(asked, default=str)).number("request"),
        }
        return answer(body, headers=_limits(call))

    def _sold_person(self, operation: str, details: dict[str, Any]) -> dict[str, Any] | None:
        who = _who(details)
        if who is None:
            return None
        self.meter.charge(self.name, operation, f"{who.name.lower()} @ {who.domain}", CREDIT_NANOS)
        return person(who, company(who.domain))

    def _search_people(self, call: ServiceCall) -> Response:
        domains = [domain_of(str(each)) for each in _filter(call, "q_organization_domains_list") or _filter(call, "q_organization_domains")]
        domains += [domain for each in _filter(call, "organization_ids") if (domain := organization_domain(str(each)))]
        companies = [company(domain) for domain in dict.fromkeys(domains)] if domains else find_companies(_company_filters(call))
        titles = [str(each).lower() for each in _filter(call, "person_titles")]
        seniorities = _filter(call, "person_seniorities")
        found = [
            (each, facts)
            for facts in companies
            for each in facts.people
            if (not titles or any(title in each.title.lower() for title in titles)) and (not seniorities or each.seniority in seniorities)
        ]
        page, per_page = _paging(call, 100)
        people = [person_teaser(each, facts) for each, facts in found[(page - 1) * per_page : page * per_page]]
        return answer({"total_entries": len(found), "people": people}, headers=_limits(call))

    def _search_companies(self, call: ServiceCall) -> Response:
        filters = _company_filters(call)
        found = find_companies(filters)
        page, per_page = _paging(call, 100)
        self.meter.charge(self.name, "mixed_companies/search", f"{json.dumps(filters, sort_keys=True)} page {page}", CREDIT_NANOS)
        shown = [organization(facts, short=True) for facts in found[(page - 1) * per_page : page * per_page]]
        body = {
            "breadcrumbs": [],
            "partial_results_only": False,
            "has_join": False,
            "disable_eu_prospecting": False,
            "partial_results_limit": 10_000,
            "pagination": _pagination(page, per_page, len(found)),
            "accounts": [],
            "organizations": shown,
            "model_ids": [each["id"] for each in shown],
            "num_fetch_result": None,
            "derived_params": None,
        }
        return answer(body, headers=_limits(call))

    # --- usage ---

    def _credit_usage(self, call: ServiceCall) -> Response:
        used = sum(entry["billed"] for entry in self.meter.report().get(self.name, {}).values())
        stats = {"limit": 100_000, "consumed": used, "left_over": 100_000 - used}
        cycle = {"start_date": "2026-11-01T00:00:00Z", "end_date": "2026-12-01T00:00:00Z"}
        empty = {"limit": 0, "consumed": 0, "left_over": 0}
        body = {"lead_credit": stats, "direct_dial_credit": empty, "export_credit": empty}
        return answer({"credit_usage_stats": body, "current_credit_cycle": cycle})

    def _api_usage(self, call: ServiceCall) -> Response:
        window = {"limit": 1000, "consumed": 0, "left_over": 1000}
        return answer({json.dumps(["api/v1/people", "match"]): {"minute": window, "hour": window, "day": window}})


_SUCCESS: dict[str, Any] = {"status": "success", "error_code": None, "error_message": None}


def _knows(facts: Company) -> bool:
    return not facts.dice.chance("unknown to apollo", _UNKNOWN_ORGANIZATIONS)


def _who(details: dict[str, Any]) -> MadeUpPerson | None:
    """The person whom the details describe, if Apollo knows one."""
    if details.get("id"):
        return person_of_id(str(details["id"]))
    email = str(details.get("email") or "").strip().lower()
    first, last = str(details.get("first_name") or ""), str(details.get("last_name") or "")
    if not first and details.get("name"):
        first, _, last = str(details["name"]).partition(" ")
    domain = domain_of(str(details.get("domain") or ""))
    if not domain and details.get("organization_name"):
        domain = f"{slugged(str(details['organization_name']))}.com"
    if details.get("linkedin_url"):
        slug = slug_of(str(details["linkedin_url"]))
        if not first:
            first, last = name_of_slug(slug)
        domain = domain or (domain_of(email) if email else "") or f"{slugged(last or first)}-group.example"
    if email:
        domain = domain if domain_of(email) in FREE_MAIL else domain_of(email)
        if not first:
            first, last = name_of_slug(email.partition("@")[0])
    if not domain or not first or domain in FREE_MAIL:
        return None
    if Dice("apollo person", domain, first.lower(), last.lower()).chance("unknown", _UNKNOWN_PEOPLE):
        return None
    return company(domain).person(first, last)


def _filter(call: ServiceCall, name: str) -> list[Any]:
    """A filter's values, from the query (`name[]=...`) or the JSON body."""
    values: list[Any] = [*call.query.getlist(f"{name}[]"), *call.query.getlist(name)]
    body = call.json()
    if isinstance(body, dict):
        given = body.get(name, body.get(f"{name}[]"))
        values += given if isinstance(given, list) else [given] if given not in (None, "") else []
    return values


def _company_filters(call: ServiceCall) -> dict[str, list[str]]:
    return {name: [str(each) for each in values] for name in FILTERS if (values := _filter(call, name))}


def _paging(call: ServiceCall, most: int) -> tuple[int, int]:
    page = next(iter(_filter(call, "page")), 1)
    per_page = next(iter(_filter(call, "per_page")), 25)
    return max(1, int(page)), min(most, max(1, int(per_page)))


def _pagination(page: int, per_page: int, total: int) -> dict[str, int]:
    return {"page": page, "per_page": per_page, "total_entries": total, "total_pages": math.ceil(total / per_page)}


def _failed(status: int, code: str, message: str, call: ServiceCall) -> Response:
    return answer({"status": "failed", "error_code": code, "error_message": message}, status, _limits(call))


def _limits(call: ServiceCall) -> dict[str, str]:
    """Apollo's three windows; without a limit, hour and day are empty, as on an unlimited plan."""
    limit, left, _ = call.limits or (1000, 999, 60.0)
    minute = {"x-rate-limit-minute": str(limit), "x-minute-usage": str(limit - left), "x-minute-requests-left": str(left)}
    return {**minute, "x-rate-limit-hourly": "", "x-rate-limit-24-hour": ""}

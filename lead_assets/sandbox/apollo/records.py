"""How Apollo prints the world's companies and people. Ids encode what they refer to, so that an id from an earlier sandbox still resolves."""

from __future__ import annotations

from typing import Any

from lead_assets.sandbox.world import TODAY, Article, Company, MadeUpPerson, Posting, company


def organization_id(domain: str) -> str:
    return domain.encode().hex()


def organization_domain(identifier: str) -> str | None:
    """The domain encoded in an organization's id; None if it is not such an id."""
    try:
        return bytes.fromhex(identifier).decode()
    except (ValueError, UnicodeDecodeError):
        return None


def person_of_id(identifier: str) -> MadeUpPerson | None:
    parts = (organization_domain(identifier) or "").split("|")
    return company(parts[0]).person(parts[1], parts[2]) if len(parts) == 3 else None


def _person_id(who: MadeUpPerson) -> str:
    return f"{who.domain}|{who.first_name}|{who.last_name}".encode().hex()


def organization(facts: Company, *, short: bool = False) -> dict[str, Any]:
    """An organization as returned by enrichment, or the short form from a search."""
    rounds = facts.rounds
    record: dict[str, Any] = {
        "id": organization_id(facts.domain),
        "name": facts.name,
        "website_url": f"http://www.{facts.domain}",
        "linkedin_url": f"http://www.linkedin.com/company/{facts.domain.partition('.')[0]}",
        "twitter_url": None,
        "facebook_url": None,
        "primary_phone": {},
        "founded_year": facts.founded_year,
        "primary_domain": facts.domain,
        "publicly_traded_symbol": None,
        "organization_headcount_six_month_growth": round(facts.dice.unit("growth 6") * 0.3 - 0.08, 4),
        "organization_headcount_twelve_month_growth": round(facts.dice.unit("growth 12") * 0.5 - 0.12, 4),
        "organization_headcount_twenty_four_month_growth": round(facts.dice.unit("growth 24") * 0.9 - 0.2, 4),
    }
    if short:
        return record
    return {
        **record,
        "phone": None,
        "logo_url": None,
        "industry": facts.industry.name.lower(),
        "industries": [facts.industry.name.lower()],
        "secondary_industries": [],
        "keywords": list(facts.industry.keywords),
        "estimated_num_employees": facts.headcount,
        "raw_address": f"{facts.city}, {facts.state} {facts.postal_code}, {facts.country}",
        "street_address": None,
        "city": facts.city,
        "state": facts.state,
        "postal_code": facts.postal_code,
        "country": facts.country,
        "short_description": facts.description,
        "seo_description": facts.description,
        "annual_revenue": facts.revenue_usd,
        "annual_revenue_printed": _printed(facts.revenue_usd),
        "total_funding": facts.funding_total_usd or None,
        "total_funding_printed": _printed(facts.funding_total_usd) if rounds else None,
        "latest_funding_round_date": f"{rounds[-1].day.isoformat()}T00:00:00.000+00:00" if rounds else None,
        "latest_funding_stage": rounds[-1].stage if rounds else None,
        "funding_events": [
            {
                "id": facts.dice.hex(f"funding {each.stage}", 24),
                "date": f"{each.day.isoformat()}T00:00:00.000+00:00",
                "news_url": None,
                "type": each.stage,
                "investors": ", ".join(each.investors),
                "amount": _printed(each.amount_usd),
                "currency": "$",
            }
            for each in reversed(rounds)
        ],
        "technology_names": facts.technologies,
        "current_technologies": [
            {"uid": name.lower().replace(" ", "_"), "name": name, "category": tag} for tag, names in facts.stack.items() for name in names
        ],
        "departmental_head_count": {"sales": facts.headcount // 6, "engineering": facts.headcount // 5, "operations": facts.headcount // 4},
        "owned_by_organization_id": None,
        "suborganizations": [],
        "num_suborganizations": 0,
    }


def person(who: MadeUpPerson, employer: Company) -> dict[str, Any]:
    return {
        "id": _person_id(who),
        "first_name": who.first_name,
        "last_name": who.last_name,
        "name": who.name,
        "linkedin_url": who.linkedin_url,
        "title": who.title,
        "headline": f"{who.title} at {employer.name}",
        "email": who.email,
        "email_status": "extrapolated" if employer.accept_all else "verified",
        "extrapolated_email_confidence": 0.7 if employer.accept_all else None,
        "photo_url": None,
        "twitter_url": None,
        "github_url": None,
        "facebook_url": None,
        "organization_id": organization_id(employer.domain),
        "employment_history": [
            {
                "id": employer.dice.hex(f"employment {who.slug}", 24),
                "current": True,
                "organization_id": organization_id(employer.domain),
                "organization_name": employer.name,
                "title": who.title,
                "start_date": f"{max(employer.founded_year, TODAY.year - employer.dice.between(f'since {who.slug}', 1, 9))}-03-01",
                "end_date": None,
            }
        ],
        "city": employer.city,
        "state": employer.state,
        "country": employer.country,
        "departments": [who.department],
        "subdepartments": [],
        "functions": [who.department.removeprefix("master_")],
        "seniority": who.seniority,
        "is_likely_to_engage": employer.dice.chance(f"engages {who.slug}", 0.3),
        "revealed_for_current_team": True,
        "organization": organization(employer),
    }


def person_teaser(who: MadeUpPerson, employer: Company) -> dict[str, Any]:
    """A person as the free search shows them: without e-mail and with an obscured surname."""
    last = who.last_name
    return {
        "id": _person_id(who),
        "first_name": who.first_name,
        "last_name_obfuscated": f"{last[:2]}***{last[-1:]}",
        "title": who.title,
        "last_refreshed_at": f"{TODAY.isoformat()}T00:00:00.000+00:00",
        "has_email": True,
        "has_city": True,
        "has_state": True,
        "has_country": True,
        "has_direct_phone": "Yes" if employer.dice.chance(f"phone {who.slug}", 0.5) else "Maybe: please request direct dial",
        "organization": {
            "name": employer.name,
            "has_industry": True,
            "has_phone": False,
            "has_city": True,
            "has_state": True,
            "has_country": True,
            "has_zip_code": True,
            "has_revenue": True,
            "has_employee_count": True,
        },
    }


def job_posting(posting: Posting, domain: str) -> dict[str, Any]:
    day = f"{posting.day.isoformat()}T00:00:00.000+00:00"
    return {
        "id": posting.id,
        "title": posting.title,
        "url": f"https://{domain}/jobs/{posting.id[:8]}",
        "city": posting.city,
        "state": posting.state,
        "country": posting.country,
        "last_seen_at": f"{TODAY.isoformat()}T00:00:00.000+00:00",
        "posted_at": day,
    }


def news_article(article: Article, facts: Company) -> dict[str, Any]:
    return {
        "id": facts.dice.hex(f"article {article.title}", 24),
        "url": f"https://news.example/{facts.dice.hex(article.title, 10)}",
        "domain": "news.example",
        "title": article.title,
        "snippet": article.title,
        "published_at": f"{article.day.isoformat()}T00:00:00.000+00:00",
        "organization_ids": [organization_id(facts.domain)],
        "event_categories": [],
    }


def _printed(amount: float) -> str:
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if amount >= size:
            return f"{amount / size:.1f}".removesuffix(".0") + letter
    return str(round(amount))

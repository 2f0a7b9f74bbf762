"""The names of everything that destinations may be told about a routed lead, and the columns that they come from.

Does not belong here: reading them (see `facts`).
"""

from __future__ import annotations

KEYS = ("campaign_id", "lead_id")

OF_LEAD = {
    "email": "email_normalized",
    "phone": "phone_e164",
    "first_name": "name_first",
    "last_name": "name_last",
    **{name: name for name in ("full_name", "title", "seniority", "department", "company_domain", "linkedin_url", "city", "state_code")},
    **{name: name for name in ("country_code", "source", "adapter", "industry", "property_type", "loan_amount_requested", "received_at")},
}
OF_ENRICHED = (
    *("headcount", "headcount_min", "company_industry", "company_description", "estimated_revenue", "founded_year"),
    *("technologies", "funding_total_usd", "latest_round"),
)
OF_CLASSIFICATION = (
    *("profile", "loan_type", "investor_experience", "icp_fit", "persona", "buying_stage", "urgency_score", "outreach_message"),
    *("enriched_at", "synthetic"),
)
OF_SCORE = ("score", "tier", "route_score", "reasons")
OF_ROUTING = ("owner", "team", "territory", "path")
OF_BRIEF = {"brief": "brief", "next_step": "next_step", "briefed_at": "enriched_at"}

FACTS = (*OF_LEAD, "company", *OF_ENRICHED, *OF_CLASSIFICATION, *OF_SCORE, *OF_ROUTING, "routing_reason", *OF_BRIEF, *KEYS)
"""Every name that an allow-list may use."""

"""What the header of a column means: the headers that people write, folded, and the payload key of each.

Does not belong here: finding a table's header line (see `csv_payloads`), and which payload shape a table has (see `adapters`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from lead_assets.core.unknown_words import unknown
from lead_assets.intake.adapters import FIELD_KEYS

HEADER_ALIASES: dict[str, str] = {
    alias: key
    for key, aliases in {
        "email": "e mail|email address|e mail address|mail|work email|business email|contact email|email 1|correo|correo electronico|courriel",
        "phone": "phone number|telephone|telephone number|tel|mobile|mobile phone|mobile number|cell|cell phone|work phone|telefon|telefono",
        "full_name": "fullname|contact|contact name|lead name|person name",
        "first_name": "first|firstname|given name|forename|vorname|prenom",
        "last_name": "last|lastname|surname|family name|nachname",
        "company": "company name|companyname|organisation|organisation name|organization name|account|account name|employer|business|business name|firma",
        "title": "job|position|role|job role|designation",
        "job_title": "jobtitle",
        "website": "web site|company website|company url|website url|homepage|web|url|domain|company domain",
        "linkedin_url": "linkedin|linked in|linkedin profile|linkedin profile url|linkedin url|person linkedin url",
        "country": "country region|country code|country name|nation|land|pais|pays",
        "state": "state province|state region|province|region|state code",
        "city": "town|locality",
        "industry": "sector",
        "company_size": "employees|number of employees|no of employees|headcount|employee count|company headcount",
        "source": "lead source|original source|channel",
        "status": "lead status",
        "notes": "note|comment|comments|message|description",
        "submitted_at": "submitted|submission date|submission time|timestamp|date submitted",
        "created_at": "created|created date|create date|date created",
        "lead_id": "lead|leadid|id",
        "customer_id": "customer|customerid",
        "campaign_id": "campaign|campaignid",
        "utm_campaign": "utm|campaign source",
        "property_address": "property street",
        "property_city": "property town",
        "property_state": "property province",
        "property_type": "type of property",
        "loan_amount_requested": "loan amount|requested loan amount|amount requested",
        "purchase_price": "price",
        "estimated_arv": "arv|after repair value",
        "outcome": "result|deal outcome",
        "outcome_at": "outcome date|closed at|close date",
    }.items()
    for alias in aliases.split("|")
}
"""Headers as people write them (case, accents and punctuation aside) → the payload key they mean. A key is its own alias."""


def header_key(header: str) -> str:
    """A header folded to how aliases are written: lower case, no accents, one space for any run of punctuation."""
    folded = "".join(c for c in unicodedata.normalize("NFKD", header) if not unicodedata.combining(c)).casefold()
    return re.sub(r"[\W_]+", " ", folded).strip()


def check_column_map(column_map: Mapping[str, str]) -> None:
    """Raises UnknownWord if a target of `--map from=to` is not a field that a lead can have."""
    if strangers := sorted(target for target in column_map.values() if target not in FIELD_KEYS):
        raise unknown("--map: no field", strangers[0], sorted(FIELD_KEYS))


def bind(cells: list[str], column_map: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Headers made unique, and the payload key of each. The first header that means a key has it; later ones keep their own name."""
    wanted = {header_key(source): target for source, target in column_map.items()}
    headers: list[str] = []
    keys: dict[str, str] = {}
    times: dict[str, int] = {}
    for index, cell in enumerate(cells, start=1):
        bare = name = cell.strip() or f"column_{index}"
        while name in keys:
            times[bare] = times.get(bare, 1) + 1
            name = f"{bare}_{times[bare]}"
        headers.append(name)
        keys[name] = ""
    taken: set[str] = set()
    for name in sorted(headers, key=lambda name: header_key(name) not in wanted):
        folded = header_key(name)
        plain = folded.replace(" ", "_")
        key = wanted.get(folded) or (plain if plain in FIELD_KEYS else HEADER_ALIASES.get(folded, ""))
        if key not in taken:
            keys[name] = key
        if key:
            taken.add(key)
    return tuple(headers), keys

"""How the sandbox's model fits its judgement of a lead into the JSON schema it was given.

Does not belong here: the judgement itself (see `judgement`).
"""

from __future__ import annotations

import re
from typing import Any

from lead_assets.sandbox.anthropic.judgement import Judgement, ShownLead, b2b, greeting, lending, summary
from lead_assets.sandbox.chance import Dice

_BOUNDS = re.compile(r"(maximum|minimum): *(-?\d+(?:\.\d+)?)")


def fill(schema: dict[str, Any], lead: ShownLead) -> dict[str, Any]:
    """An answer in the schema's shape: a lending or B2B judgement if its fields ask for one, otherwise valid values by type."""
    names = schema.get("properties", {})
    judgement = lending(lead) if "loan_type" in names else b2b(lead) if "icp_fit" in names else summary(lead)
    return {name: _value(name, part, schema, lead, judgement) for name, part in names.items()}


def _value(name: str, part: dict[str, Any], root: dict[str, Any], lead: ShownLead, judgement: Judgement) -> Any:
    """One field of the answer."""
    part = _resolved(part, root)
    known = judgement.values.get(name)
    if "const" in part:
        return part["const"]
    if "enum" in part:
        options = part["enum"]
        return known if known in options else next((each for each in ("unknown", "other") if each in options), options[0])
    kind = part.get("type")
    if kind == "array":
        return _list(name, part, root, lead, judgement, known)
    if kind == "object":
        return {inner: _value(inner, spec, root, lead, judgement) for inner, spec in part.get("properties", {}).items()}
    if kind == "boolean":
        return bool(known)
    if kind in ("integer", "number"):
        if isinstance(known, int | float):
            return known
        bounds = {word: float(number) for word, number in _BOUNDS.findall(part.get("description", ""))}
        low, high = bounds.get("minimum", 0.0), bounds.get("maximum", 10.0)
        middle = low + (high - low) * Dice(name, lead.notes).unit("value")
        return round(middle) if kind == "integer" else round(middle, 2)
    return str(known) if known is not None else _words(name, lead, judgement)


def _list(name: str, part: dict[str, Any], root: dict[str, Any], lead: ShownLead, judgement: Judgement, known: Any) -> list[Any]:
    item = _resolved(part.get("items") or {}, root)
    if item.get("type") == "object" and "evidence" in name:
        return [
            {inner: _evidence_part(inner, spec, root, topic, quote) for inner, spec in item.get("properties", {}).items()}
            for topic, quotes in judgement.quotes.items()
            for quote in quotes[:1]
        ]
    if any(word in name for word in ("evidence", "quote")):
        return judgement.evidence
    if isinstance(known, list):
        return known
    return [_value(name, item, root, lead, judgement)] if part.get("minItems") else []


def _evidence_part(name: str, part: dict[str, Any], root: dict[str, Any], topic: str, quote: str) -> Any:
    """A field of one piece of evidence: the quote, or what it is evidence of."""
    part = _resolved(part, root)
    if "enum" in part:
        return topic if topic in part["enum"] else part["enum"][0]
    return quote if any(word in name for word in ("quote", "text", "excerpt")) else topic


def _words(name: str, lead: ShownLead, judgement: Judgement) -> str:
    if "message" in name:
        return greeting(lead) + "thanks for reaching out. Could we talk this week?"
    if "name" in name:
        return str(lead.get(name, "first_name", "name", "company") or "unknown")
    if "quote" in name:
        return next(iter(judgement.evidence), "")
    return str(judgement.values.get("summary") or judgement.values.get("rationale") or "unknown")


def _resolved(part: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, behind references and optional types."""
    if "$ref" in part:
        return _resolved(root.get("$defs", {})[part["$ref"].rpartition("/")[2]], root)
    for word in ("anyOf", "oneOf", "allOf"):
        for option in part.get(word, []):
            if option.get("type") != "null":
                return _resolved(option, root)
    if isinstance(part.get("type"), list):
        return {**part, "type": next(kind for kind in part["type"] if kind != "null")}
    return part

"""Governance: a model's answer is a claim. It meets its contract here, locally, or it reaches no score, route or customer.

Belongs here: reading an answer's text and every rule it is held to. Rules are judged again on every rebuild, from the journaled answer: changing one
costs nothing. Does not belong here: what happens to an answer that fails (see `classify`).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from lead_assets.model import message_rules
from lead_assets.model.profile import Answered, Facts, Profile
from lead_assets.model.prompt import shown_text

Code = Literal[
    "not_json",
    "wrong_type",
    "missing_field",
    "extra_field",
    "invalid_enum",
    "out_of_range",
    "too_short",
    "too_long",
    "placeholder",
    "over_promise",
    "contact_details",
    "other_name",
    "evidence_not_found",
    "evidence_missing",
    "truncated",
    "refusal",
    "empty",
]

# What pydantic calls a fault → what the quarantine calls it.
_CODES: dict[str, Code] = {
    "missing": "missing_field",
    "extra_forbidden": "extra_field",
    "literal_error": "invalid_enum",
    "enum": "invalid_enum",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "greater_than": "out_of_range",
    "less_than": "out_of_range",
    "string_too_short": "too_short",
    "too_short": "too_short",
    "string_too_long": "too_long",
    "too_long": "too_long",
}


@dataclass(frozen=True)
class Violation:
    """One thing wrong with an answer. The message goes into the quarantine's reason and into the repair; it never holds the value."""

    code: Code
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(frozen=True)
class Judged:
    """`answer` is set exactly when there is no violation."""

    answer: Answered | None
    violations: tuple[Violation, ...] = ()


def judge(profile: Profile, facts: Facts, text: str) -> Judged:
    """Hold an answer's text to the profile's contract and to the rules of messages and evidence; all violations are reported at once."""
    if not text.strip():
        return Judged(None, (Violation("empty", "", "the answer is empty"),))
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError):
        return Judged(None, (Violation("not_json", "", "the answer is not one JSON object: answer with the object alone"),))
    if not isinstance(value, dict):
        return Judged(None, (Violation("not_json", "", "the answer is JSON but not an object"),))
    return _judge_value(profile, profile.contract, facts, value)


def judge_rules(profile: Profile, facts: Facts, value: dict[str, Any]) -> Judged:
    """The same for the rules classifier's answer, which leaves out what only a model may write."""
    return _judge_value(profile, profile.rules_contract, facts, {**value, **dict.fromkeys(profile.model_only)})


def _judge_value(profile: Profile, contract: type[Answered], facts: Facts, value: dict[str, Any]) -> Judged:
    try:
        # JSON mode keeps strictness to what JSON can say: no tuple, no date object, but also no "3" for 3.
        answer = contract.model_validate_json(json.dumps(value))
    except ValidationError as error:
        return Judged(None, tuple(_contract_violations(error)))
    if contract is profile.contract and (absent := [name for name in profile.model_only if getattr(answer, name) is None]):
        return Judged(None, tuple(Violation("missing_field", name, "it is required") for name in absent))
    texts = [violation for name in profile.texts for violation in _text_violations(profile, facts, name, getattr(answer, name))]
    violations = (*texts, *_evidence_violations(profile, facts, answer))
    return Judged(None, violations) if violations else Judged(answer)


def _contract_violations(error: ValidationError) -> Iterator[Violation]:
    for fault in error.errors(include_input=False, include_url=False):
        field = ".".join(str(part) for part in fault["loc"] if not (isinstance(part, str) and part.startswith("constrained")))
        # pydantic's own texts name limits and choices, and the value's type, but not the value.
        yield Violation(_CODES.get(fault["type"], "wrong_type"), field, fault["msg"])


def _text_violations(profile: Profile, facts: Facts, field: str, text: str | None) -> Iterator[Violation]:
    if text is None:
        return
    if message_rules.has_placeholder(text):
        yield Violation("placeholder", field, "it holds a placeholder that nobody filled in")
    if message_rules.has_contact_details(text):
        yield Violation("contact_details", field, "it holds a link, an e-mail address or a phone number")
    shown = shown_text(facts)
    for kind in message_rules.promises(text, shown):
        if kind not in profile.may_promise:
            yield Violation("over_promise", field, f"it promises what may not be promised: {kind}")
    if message_rules.names_another(text, facts, shown, profile.glossary):
        yield Violation("other_name", field, "it names a person or company that is not the lead's")


def _evidence_violations(profile: Profile, facts: Facts, answer: Answered) -> Iterator[Violation]:
    shown = squeeze(shown_text(facts))
    backed = False
    for place, quote in enumerate(answer.evidence):
        if not (squeezed := squeeze(quote)) or squeezed not in shown:
            yield Violation(
                "evidence_not_found", f"evidence.{place}", "the quote does not occur in the facts: copy it exactly, or leave it out"
            )
        else:
            backed = True
    claimed = [name for name, nothing in profile.claims.items() if getattr(answer, name) not in nothing]
    if claimed and not backed and not answer.evidence:
        yield Violation("evidence_missing", "evidence", f"no quote backs {' and '.join(claimed)}")


def squeeze(text: str) -> str:
    """White space and case folded away, and typographic quotes made plain: what may differ between a quote and its source."""
    plain = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    return " ".join(plain.casefold().split())


_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value

"""Governance: a model's answer is a claim. It is checked here, locally; if it breaks its contract, it reaches no score, route or customer.

Belongs here: reading an answer's text, and every rule it must meet. Rules are applied again on every rebuild, to the journaled answer: changing one
costs nothing. Does not belong here: what happens to an answer that fails (see `cases`).
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from lead_assets.model import message_rules
from lead_assets.model.profile import Answered, Facts, Profile

VERSION = "1"
"""Increase it when answers are judged differently than before: `lead-assets replay` then asks refused questions again, once. A test notices if you forget."""

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
    "canary_answered",
    "dictated",
    "evidence_disagrees",
    "rules_disagree",
]
"""The last four are doubts (see `doubts`): a second look did not dispel them."""

# Pydantic's error type → the quarantine's code.
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
    """One problem with an answer. The message goes into the quarantine's reason and into the repair request; it never contains the value."""

    code: Code
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


@dataclass(frozen=True)
class Judged:
    """`answer` is set if and only if there are no violations."""

    answer: Answered | None
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class Claim:
    """An answer's text, the profile it answers, and the facts that the model was shown."""

    profile: Profile
    facts: Facts
    text: str


def judge(claims: Sequence[Claim]) -> list[Judged]:
    """Check answers against their profiles' contracts and the rules for messages and evidence; all violations of an answer are reported at once.

    Takes many answers, in order, because some searches run over all messages at once.
    """
    read = [_read(claim) for claim in claims]
    return _judge_answers([(claim.profile, claim.facts, answer) for claim, answer in zip(claims, read, strict=True)])


def judge_rules(asked: Sequence[tuple[Profile, Facts]]) -> list[Judged]:
    """The same for answers of the rules classifier, which omit what only a model may write."""
    return _judge_answers(
        [
            (profile, facts, _meets_contract(profile.rules_contract, {**profile.by_rules(facts), **dict.fromkeys(profile.model_only)}))
            for profile, facts in asked
        ]
    )


def _read(claim: Claim) -> Answered | tuple[Violation, ...]:
    """The answer in its contract's form, or what is wrong with it."""
    profile, text = claim.profile, claim.text
    if (plain := _read_at_once(profile, text)) is not None:
        return plain
    if not text.strip():
        return (Violation("empty", "", "the answer is empty"),)
    try:
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError):
        return (Violation("not_json", "", "the answer is not one JSON object: answer with the object alone"),)
    if not isinstance(value, dict):
        return (Violation("not_json", "", "the answer is JSON but not an object"),)
    answer = _meets_contract(profile.contract, value)
    if isinstance(answer, Answered) and (absent := [name for name in profile.model_only if getattr(answer, name) is None]):
        return tuple(Violation("missing_field", name, "it is required") for name in absent)
    return answer


def _read_at_once(profile: Profile, text: str) -> Answered | None:
    """The answer, if it is an ordinary one that meets its contract: nearly all do. What is said of any other takes a closer look."""
    try:
        answer = profile.contract.model_validate_json(text)
    except ValidationError:
        return None
    # As many names as fields: none occurs twice. NaN is no JSON, but pydantic reads it.
    if len(_NAME.findall(text)) != len(answer.model_fields_set):
        return None
    said = answer.__dict__
    if not profile.is_exact and any(type(value) is float and not math.isfinite(value) for value in said.values()):
        return None
    return None if None in map(said.get, profile.model_only) else answer


_NAME = re.compile(r'"\s*:')


def _meets_contract(contract: type[Answered], value: dict[str, Any]) -> Answered | tuple[Violation, ...]:
    try:
        # JSON mode is strict within what JSON can express: no tuples or date objects, but also no "3" for 3.
        return contract.model_validate_json(_dumps(value))
    except ValidationError as error:
        return tuple(_contract_violations(error))


def _dumps(value: Any) -> bytes | str:
    try:
        text = orjson.dumps(value)
    except TypeError:  # integers above 64 bits, lone surrogates
        return json.dumps(value)
    # orjson writes null for numbers too large for a float.
    return json.dumps(value) if b"null" in text else text


def _judge_answers(answers: Sequence[tuple[Profile, Facts, Answered | tuple[Violation, ...]]]) -> list[Judged]:
    messages = [
        message_rules.message(text)
        for profile, _, answer in answers
        if isinstance(answer, Answered)
        for name in profile.texts
        if (text := getattr(answer, name)) is not None
    ]
    suspected = zip(messages, message_rules.suspects(messages).rows() if messages else (), strict=True)
    judged = []
    for profile, facts, answer in answers:
        if not isinstance(answer, Answered):
            judged.append(Judged(None, answer))
            continue
        shown = message_rules.Shown(facts)
        violations: list[Violation] = []
        for name in profile.texts:
            if getattr(answer, name) is not None:
                message, suspicions = next(suspected)
                violations += _text_violations(profile, shown, name, message, *suspicions)
        violations += _evidence_violations(profile, shown, answer)
        judged.append(Judged(None, tuple(violations)) if violations else Judged(answer))
    return judged


def _contract_violations(error: ValidationError) -> Iterator[Violation]:
    for fault in error.errors(include_input=False, include_url=False):
        field = ".".join(str(part) for part in fault["loc"] if not (isinstance(part, str) and part.startswith("constrained")))
        # Pydantic's texts name limits, choices and the value's type, but not the value.
        yield Violation(_CODES.get(fault["type"], "wrong_type"), field, fault["msg"])


def _text_violations(
    profile: Profile,
    shown: message_rules.Shown,
    field: str,
    message: message_rules.PartedMessage,
    placeholder: bool,
    contact: bool,
    promise: bool,
    names: int,
) -> Iterator[Violation]:
    """The last four are the message's row from `message_rules.suspects`."""
    if placeholder and message_rules.has_placeholder(message.text):
        yield Violation("placeholder", field, "it holds a placeholder that nobody filled in")
    if contact and message_rules.has_contact_details(message.text):
        yield Violation("contact_details", field, "it holds a link, an e-mail address or a phone number")
    for kind in message_rules.promises(message.text, shown, profile.may_promise) if promise else ():
        yield Violation("over_promise", field, f"it promises what may not be promised: {kind}")
    if message_rules.greets_another(message, shown.facts) or (
        names and message_rules.names_another(message, shown, profile.glossary, names)
    ):
        yield Violation("other_name", field, "it names a person or company that is not the lead's")


def _evidence_violations(profile: Profile, shown: message_rules.Shown, answer: Answered) -> Iterator[Violation]:
    lost = [place for place, quote in enumerate(answer.evidence) if not _occurs(quote, shown)]
    for place in lost:
        yield Violation(
            "evidence_not_found", f"evidence.{place}", "the quote does not occur in the facts: copy it exactly, or leave it out"
        )
    claimed = [name for name, nothing in profile.claims.items() if getattr(answer, name) not in nothing]
    if claimed and not answer.evidence:
        yield Violation("evidence_missing", "evidence", f"no quote backs {' and '.join(claimed)}")


def _occurs(quote: str, shown: message_rules.Shown) -> bool:
    # For plain letters, a quote is contained after normalising only if it is contained before.
    if quote.isascii():
        for value in shown.facts.values():
            if isinstance(value, str) and quote in value and value.isascii():
                return bool(quote.strip())
    squeezed = squeeze(quote)
    return bool(squeezed) and squeezed in squeeze(shown.text)


def squeeze(text: str) -> str:
    """Fold white space and case, and make typographic quotes plain: these may differ between a quote and its source."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_PLAIN)
    return " ".join(text.casefold().split())


_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value

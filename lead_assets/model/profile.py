"""A classification profile: a prompt, a contract and the lead's visible fields, declared together and versioned.

Belongs here: the vocabulary of profiles (`Profile`, `Answered`, `Fact`). Does not belong here: a particular profile (one module each under
`lead_assets.classification.profiles`) or anything that calls a model (see `client`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, get_origin

import polars as pl
from pydantic import BaseModel, ConfigDict, StringConstraints, create_model

from lead_assets.contracts.base import canonical_json

RULES_MODEL = "rules-v1"
"""The model name on answers given by rules because no model was available."""

Facts = dict[str, Any]
"""What a model sees of one lead: fact name → text or number. Missing facts are left out."""

as_json = json.JSONEncoder(ensure_ascii=False).encode


def shown_text(facts: Facts) -> str:
    """Everything the model was shown about the lead, from which it may quote."""
    pairs = [f"{name}: {value}" for name, value in facts.items()]
    return "\n".join([*pairs, as_json(facts)])


Quote = Annotated[str, StringConstraints(min_length=2, max_length=400)]
"""A quote from the facts, verbatim."""


class Answered(BaseModel):
    """Base of every profile's contract. Strict: "3" is not the number 3, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)

    evidence: list[str]


FactTable = Literal["lead", "enriched", "classification", "score", "lookalike"]
"""A table that facts come from: identity.leads, signals.enriched_leads, classification.classifications, scoring.scores, lookalike.similarities."""


@dataclass(frozen=True)
class Fact:
    """One fact that a profile may see: a column of a table."""

    column: str
    of: FactTable = "lead"
    is_name: bool = False
    """The name of a person, company or place: shown only if it looks like one, because strangers can type any text into such a field."""
    is_ours: bool = False
    """One of a list of words that we declare (a tier, a rule's name): no stranger speaks in it."""


@dataclass(frozen=True, eq=False)
class Profile:
    """One way to classify a lead. See `profiles.lending` for a complete one. Profiles compare by identity, so results can be cached per profile."""

    name: str
    version: str
    """Version of the contract, e.g. "lending-1": the table's schema_version."""
    contract: type[Answered]
    facts: Mapping[str, Fact]
    system: str
    """The stable part of the prompt: task, meaning of each field, rules for the message. `prompt` adds what all profiles share."""
    applies: pl.Expr
    """True for leads (rows of identity.leads) that this profile fits."""
    precedence: int
    """If several profiles apply, the lowest number wins."""
    columns: Mapping[str, str]
    """Contract field → table column that shows it."""
    by_rules: Callable[[Facts], dict[str, Any]]
    """The deterministic answer if no model is available: the whole contract except `model_only` fields."""
    texts: tuple[str, ...] = ("outreach_message",)
    """Fields that must follow the message rules: no placeholder, no promise, no name but the lead's."""
    model_only: tuple[str, ...] = ("outreach_message",)
    """Fields that a model must fill and rules leave empty, so that no message pretends that somebody wrote it."""
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Field → values that claim nothing ("unknown"): any other value needs a supporting quote."""
    opposites: Mapping[str, frozenset[frozenset[str]]] = field(default_factory=dict)
    """Class field of `claims` → pairs of values that cannot both be read from one lead: a model that says the opposite of the rules is asked again."""
    scales: Mapping[str, int] = field(default_factory=dict)
    """Number field → by how much a model and the rules may not differ if the lead's text seems to speak to the model."""
    may_promise: frozenset[str] = frozenset()
    """Kinds of promise (see `message_rules`) that this profile's messages may make."""
    glossary: frozenset[str] = frozenset()
    """Capitalised terms of the trade that are not names, case-folded."""
    before: Profile | None = None
    """The edition before this one. A question that was answered under it is not asked again: that answer stands, with its contract and version."""

    @property
    def editions(self) -> tuple[Profile, ...]:
        """This profile and the editions before it, newest first."""
        return (self, *(self.before.editions if self.before else ()))

    @cached_property
    def contract_hash(self) -> str:
        return _digest(self.contract.model_json_schema())

    @cached_property
    def is_exact(self) -> bool:
        """Whether its answers hold nothing but texts, integers and lists of them, of which there is only one way to write JSON."""
        shape = canonical_json(self.contract.model_json_schema())
        return shape.count('"type":"object"') == 1 and not any(kind in shape for kind in ('"type":"number"', '"format"', '"$ref"'))

    @cached_property
    def rules_contract(self) -> type[Answered]:
        """The same contract for the rules classifier, without `model_only` fields."""
        left_out: dict[str, Any] = dict.fromkeys(self.model_only, (None, None))
        return create_model(f"{self.contract.__name__}ByRules", __base__=self.contract, **left_out)

    @cached_property
    def disputed(self) -> Mapping[str, frozenset[str]]:
        """Class field → the values that are one of `opposites`."""
        return {name: frozenset().union(*pairs) for name, pairs in self.opposites.items()}

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Fields with a fixed set of values, whose distribution is reported."""
        return tuple(name for name, spec in self.contract.model_fields.items() if get_origin(spec.annotation) is Literal)


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]

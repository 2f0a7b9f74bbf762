"""What a classification profile is: a prompt, a contract and the fields of the lead it may see, declared together and versioned.

Belongs here: the vocabulary of profiles (`Profile`, `Answered`, `Fact`). Does not belong here: any one profile (one module each under
`lead_assets.classification.profiles`) and anything that calls a model (see `client`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, get_origin

import polars as pl
from pydantic import BaseModel, ConfigDict, StringConstraints, create_model

from lead_assets.contracts.base import canonical_json

RULES_MODEL = "rules-v1"
"""The model's name on answers that rules gave, where no model could be had."""

Facts = dict[str, Any]
"""What a model is shown of one lead: fact name → text or number. Absent facts are left out."""


Quote = Annotated[str, StringConstraints(min_length=2, max_length=400)]
"""Words of the facts, as they stand there."""


class Answered(BaseModel):
    """Base of every profile's contract. Strict: the number "3" is not the number 3, and a field nobody asked for is a fault."""

    model_config = ConfigDict(extra="forbid", strict=True)

    evidence: list[str]


FactTable = Literal["lead", "enriched", "classification", "score", "lookalike"]
"""A table that facts come from: identity.leads, signals.enriched_leads, classification.classifications, scoring.scores, lookalike.similarities."""


@dataclass(frozen=True)
class Fact:
    """One thing a profile may see: a column of a table."""

    column: str
    of: FactTable = "lead"
    is_name: bool = False
    """A person's or company's name: shown only if it reads like one, because a name field takes any text a stranger types."""


@dataclass(frozen=True, eq=False)
class Profile:
    """One way to classify a lead. See `profiles.lending` for a whole one. Two are equal only if they are one: what follows from it can be kept by it."""

    name: str
    version: str
    """Version of the contract, e.g. "lending-1": the table's schema_version."""
    contract: type[Answered]
    facts: Mapping[str, Fact]
    system: str
    """The stable part of the prompt: task, meaning of each field, rules of the message. What is common to all profiles is added by `prompt`."""
    applies: pl.Expr
    """True for leads (rows of identity.leads) of this profile's shape."""
    precedence: int
    """Of several profiles that apply, the one with the lowest number is taken."""
    columns: Mapping[str, str]
    """Field of the contract → column of the profile's table that shows it."""
    by_rules: Callable[[Facts], dict[str, Any]]
    """The deterministic answer where no model can be had: all of the contract but what is `model_only`."""
    texts: tuple[str, ...] = ("outreach_message",)
    """Fields held to the rules of messages: no placeholder, no promise, nobody's name but the lead's."""
    model_only: tuple[str, ...] = ("outreach_message",)
    """Fields that a model must fill and rules leave empty, lest a message pretend that somebody wrote it."""
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Field → the values that claim nothing ("unknown"): any other value needs a quote that backs it."""
    may_promise: frozenset[str] = frozenset()
    """Kinds of promise (see `governance.PROMISES`) that a message of this profile may make."""
    glossary: frozenset[str] = frozenset()
    """Capitalised words of the trade that are no one's name, case-folded."""

    @cached_property
    def contract_hash(self) -> str:
        return _digest(self.contract.model_json_schema())

    @cached_property
    def rules_contract(self) -> type[Answered]:
        """The same contract for the rules classifier, which leaves out what is `model_only`."""
        left_out: dict[str, Any] = dict.fromkeys(self.model_only, (None, None))
        return create_model(f"{self.contract.__name__}ByRules", __base__=self.contract, **left_out)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Fields that take one of a few values: what a mix is counted by."""
        return tuple(name for name, spec in self.contract.model_fields.items() if get_origin(spec.annotation) is Literal)


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]

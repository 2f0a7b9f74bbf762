"""rules/identity.yaml: what agreement is worth, from where two are one, and which keys are too vague."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lead_assets.core.declared import Declared, RulesFile
from lead_assets.core.settings import Settings

Two = Annotated[tuple[float, ...], Field(min_length=2, max_length=2)]
Three = Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
Five = Annotated[tuple[float, ...], Field(min_length=5, max_length=5)]


class Blocks(Declared):
    """Leads that share a key: up to how many all are compared, and with how many neighbours each is otherwise."""

    largest: int = Field(ge=2, le=1_000)
    neighbours: int = Field(ge=0, le=100)


class PersonBits(Declared):
    """Bits per level, from equal to different."""

    email: Five
    phone: Three
    profile: Two
    given: Five
    family: Five
    company: Three
    place: Five


class AccountBits(Declared):
    """Bits per level, from equal to different."""

    name: Five
    domain: Three
    phone: Two
    place: Five


class PeopleRules(Declared):
    prior: float = Field(le=0, ge=-60)
    accept: float = Field(ge=-20, le=60)
    bits: PersonBits


class AccountRules(Declared):
    prior: float = Field(le=0, ge=-60)
    accept: float = Field(ge=-20, le=60)
    bits: AccountBits


class IdentityRules(Declared):
    blocks: Blocks
    people: PeopleRules
    accounts: AccountRules


def load_identity_rules(settings: Settings) -> IdentityRules:
    """The rules in force. Raises RulesError."""
    return IDENTITY.load(settings)


IDENTITY = RulesFile("identity.yaml", IdentityRules, summary=lambda rules: f"one person from {rules.people.accept:g} bits on")

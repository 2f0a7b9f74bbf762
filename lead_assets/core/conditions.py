"""Conditions in rules files: one of these values, a number within bounds, known or not.

Belongs here: what several rooms' rules share. Does not belong here: which columns a room's rules may test, or how they are matched.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from lead_assets.core.declared import Declared


class Between(Declared):
    """A number's condition: at least `min`, at most `max`, or both."""

    min: float | None = Field(None)
    max: float | None = Field(None)

    @model_validator(mode="after")
    def _some_number_fits(self) -> Between:
        if self.min is None and self.max is None:
            raise ValueError("give min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {plain_number(self.min)} is above max {plain_number(self.max)}: no lead can match")
        return self

    def covers(self, other: Between) -> bool:
        low, high = float("-inf"), float("inf")
        return (low if self.min is None else self.min) <= (low if other.min is None else other.min) and (
            high if self.max is None else self.max
        ) >= (high if other.max is None else other.max)

    def __str__(self) -> str:
        bounds = ((">=", self.min), ("<=", self.max))
        return " and ".join(f"{sign} {plain_number(bound)}" for sign, bound in bounds if bound is not None)


class KnownValue(Declared):
    """A condition on whether a column has a value at all."""

    known: bool


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


OneOf = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(_listed), Field(min_length=1)]
"""One of these values; a single one needs no list."""


def _shape(value: Any) -> str:
    if isinstance(value, KnownValue) or (isinstance(value, dict) and "known" in value):
        return "known"
    return "between" if isinstance(value, dict | Between) else "values"


# The three are told apart by shape before validation, so that errors refer to the intended one.
Test = Annotated[
    Annotated[OneOf, Tag("values")] | Annotated[Between, Tag("between")] | Annotated[KnownValue, Tag("known")],
    Discriminator(_shape),
]
"""A condition: one of these values, a number within these bounds, or whether there is a value."""


def plain_number(number: float) -> str:
    """1000000 instead of 1e+06 or 1000000.0."""
    return str(int(number)) if number == int(number) else str(number)

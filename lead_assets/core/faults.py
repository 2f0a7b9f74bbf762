"""Pydantic errors in plain words for whoever wrote the file: what is wrong, what was probably meant, what to write.

Does not belong here: faults that only a room can see (see `mistakes` in its `RulesFile`).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from lead_assets.core.document import Document, nearest

_WORDS = {
    "string_type": "not text: put the value in quotes",
    "string_too_short": "is empty: write some text",
    "int_type": "not a whole number: write one, such as 3",
    "int_parsing": "not a whole number: write one, such as 3",
    "int_from_float": "not a whole number: write one, such as 3",
    "float_type": "not a number: write one, such as 0.5",
    "float_parsing": "not a number: write one, such as 0.5",
    "finite_number": "not a number: write one, such as 0.5",
    "decimal_type": "not a number: write one, such as 0.5",
    "decimal_parsing": "not a number: write one, such as 0.5",
    "bool_type": "neither true nor false: write one of the two",
    "bool_parsing": "neither true nor false: write one of the two",
    "list_type": "not a list: write [one, two], or one line starting with '- ' per entry",
    "tuple_type": "not a list: write [one, two], or one line starting with '- ' per entry",
    "dict_type": "not a mapping: write key: value",
    "greater_than": "must be above {gt}: write a larger number",
    "greater_than_equal": "must be at least {ge}: write a larger number",
    "less_than": "must be below {lt}: write a smaller number",
    "less_than_equal": "must be at most {le}: write a smaller number",
    "too_short": "has too few entries: write at least {min_length}",
    "too_long": "has too many entries: keep at most {max_length}",
    "string_pattern_mismatch": "has the wrong format: it must match {pattern}",
}


def in_words(error: Mapping[str, Any], model: type[BaseModel], document: Document) -> str:
    """Describe one pydantic error. Only short words are repeated, because a table passed in the environment may hold anything."""
    where, kind, context = error["loc"], error["type"], error.get("ctx", {})
    if where and where[-1] == "[key]":
        where = where[:-1]
        if kind != "literal_error":
            return "the key is not text: put it in quotes"
    if kind == "missing":
        return f"'{where[-1]}' is missing: {_next_step(model, where)}"
    if kind == "extra_forbidden":
        known = sorted(keys_at(model, where[:-1]))
        listed = f"; known: {', '.join(known)}" if known else ""
        return f"unknown key '{where[-1]}'{nearest(where[-1], known)}: correct or remove it{listed}"
    if kind == "literal_error":
        given = where[-1] if error["loc"] != where else document.at(document.path(where))
        allowed = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
        said = f" '{given}'{nearest(given, allowed)}" if isinstance(given, str) and len(given) <= 60 else ""
        return f"unknown value{said}: write one of {', '.join(allowed)}"
    if kind in ("model_type", "model_attributes_type"):
        known = sorted(keys_at(model, where))
        return "not a mapping: write key: value" + (f"; known keys: {', '.join(known)}" if known else "")
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in _WORDS:
        return _WORDS[kind].format(**{name: _plain(value) for name, value in context.items()})
    return "not valid here: see the comments in the shipped file for what is"


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def keys_at(model: type[BaseModel], where: Sequence[int | str]) -> list[str]:
    """The keys allowed at a place in a model's file; empty if the place takes no fixed keys."""
    return [key for kind in _kinds_at(model, where) if isinstance(kind, type) and issubclass(kind, BaseModel) for key in kind.model_fields]


def _next_step(model: type[BaseModel], where: Sequence[int | str]) -> str:
    """What to write for a key, if the model says."""
    for kind in _kinds_at(model, where[:-1]):
        if isinstance(kind, type) and issubclass(kind, BaseModel) and where[-1] in kind.model_fields:
            return kind.model_fields[str(where[-1])].description or "add it"
    return "add it"


def _kinds_at(model: type[BaseModel], where: Sequence[int | str]) -> list[Any]:
    kinds: list[Any] = [model]
    for step in where:
        kinds = [inner for kind in kinds for inner in _inside(kind, step)]
    return kinds


def _inside(kind: Any, step: int | str) -> list[Any]:
    """The types allowed one step below a type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _alternatives(kind.model_fields[step].annotation) if step in kind.model_fields else []
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict and len(arguments) == 2:
        return _alternatives(arguments[1])
    if origin in (list, tuple) and arguments and isinstance(step, int):
        return _alternatives(arguments[0])
    return [kind] if isinstance(step, str) else []  # the name of a union branch is not a step in the file


def _alternatives(kind: Any) -> list[Any]:
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _alternatives(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return [inner for part in typing.get_args(kind) for inner in _alternatives(part)]
    return [kind]

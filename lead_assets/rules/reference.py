"""Writes docs/RULES.md from the models of the rules files: `python -m lead_assets.rules.reference` (`make tables`); a test keeps it current.

Descriptions are the docstrings below the fields. They are read from the source here, because pydantic's own option would read them at every import.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from lead_assets.core.declared import RulesFile
from lead_assets.rules.files import rules_files

_HEAD = """# Rules

Generated from the models of the rules files by `make tables`; a test keeps it current. Each file is YAML in `lead_assets/rules`; a file of the same
name in the folder `LEAD_ASSETS_RULES_DIR` replaces it. All files are checked together before anything is spent (`lead-assets doctor`), and a key that is
not below is an error with its line. The shipped files explain themselves in comments.
"""


def reference() -> str:
    """The whole page."""
    parts = [_HEAD]
    by_name: dict[str, list[RulesFile[Any]]] = {}
    for file in rules_files():
        by_name.setdefault(file.name, []).append(file)
    for name, files in sorted(by_name.items()):
        parts.append(f"## {name}\n")
        seen: set[type[BaseModel]] = set()
        for file in files:
            parts += _models(file.model, seen)
    return "\n".join(parts).rstrip() + "\n"


def _models(model: type[BaseModel], seen: set[type[BaseModel]]) -> Iterator[str]:
    if model in seen:
        return
    seen.add(model)
    said = _first_line(model.__doc__) if model.__doc__ and model.__doc__ != BaseModel.__doc__ else ""
    yield f"### {_name(model)}\n"
    if said:
        yield f"{said}\n"
    yield "| key | value | default | meaning |\n| --- | --- | --- | --- |"
    notes = _field_notes(model)
    inner: list[type[BaseModel]] = []
    for key, field in model.model_fields.items():
        default = "required" if field.is_required() else _cell(_default(field))
        yield f"| `{field.alias or key}` | {_cell(_type(field.annotation))} | {default} | {_cell(notes.get(key, ''))} |"
        inner += [each for each in _inside(field.annotation) if each not in inner]
    yield ""
    for each in inner:
        yield from _models(each, seen)


def _name(model: type[BaseModel]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", model.__name__).capitalize()


def _first_line(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value in (None, (), [], {}):
        return ""
    return f"`{value}`" if isinstance(value, str | int | float | bool) else "as shipped"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _type(annotation: Any) -> str:
    """The type as a person would say it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(each) for each in arguments if each is not type(None)))
    if origin in (list, tuple, set, frozenset):
        of = [each for each in arguments if each is not Ellipsis]
        return f"list of {_type(of[0])}" if of else "list"
    if origin is not None and arguments:
        return f"mapping to {_type(arguments[-1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{_name(annotation)}](#{_name(annotation).lower().replace(' ', '-')})"
    return _WORDS.get(getattr(annotation, "__name__", ""), getattr(annotation, "__name__", str(annotation)))


_WORDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Decimal": "number",
    "bool": "true or false",
    "timedelta": "duration (`30s`, `5m`, `12h`, `90d`, `2w`)",
    "dict": "mapping",
    "Any": "any value",
    "object": "any value",
}


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in typing.get_args(annotation):
        yield from _inside(each)


@cache
def _classes_of(path: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse(Path(path).read_text(encoding="utf-8"))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def _field_notes(model: type[BaseModel]) -> dict[str, str]:
    """Field → the docstring below it, or pydantic's description; of base classes, too."""
    found = {key: field.description for key, field in model.model_fields.items() if field.description}
    for each in reversed(model.__mro__):
        if not (isinstance(each, type) and issubclass(each, BaseModel)) or each is BaseModel:
            continue
        node = _classes_of(inspect.getfile(each)).get(each.__name__)
        for field, note in zip(node.body, node.body[1:], strict=False) if node else ():
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(note, ast.Expr):
                text = note.value.value if isinstance(note.value, ast.Constant) else None
                if isinstance(text, str):
                    found[field.target.id] = " ".join(textwrap.dedent(text).split())
    return found


if __name__ == "__main__":
    print(reference(), end="")

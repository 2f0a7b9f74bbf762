"""A YAML or JSON text as values that know their lines, read as a person means it.

Belongs here: what YAML 1.1 gets wrong for a table of countries and states. Does not belong here: what a routing table is (`table`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml


class DocumentError(ValueError):
    """The text cannot be read; says where."""


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads NO (Norway) as false and ON (Ontario) as true. Here a word is a word: the model makes booleans where it wants them."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


@dataclass(frozen=True)
class Document:
    """A text's values, and the tree that knows where they stand."""

    name: str
    value: Any
    root: yaml.Node | None

    def line(self, path: Sequence[int | str]) -> int | None:
        """The line, from 1, of the value at the path, or of the deepest step that is there."""
        node = self.root
        if node is None:
            return None
        line = node.start_mark.line + 1
        for step in path:
            found = _step(node, step)
            if found is None:
                break
            line, node = found
        return line

    def at(self, path: Sequence[int | str]) -> Any:
        """The value at the path, or None."""
        value = self.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def read_document(text: str, name: str) -> Document:
    """YAML or JSON text (JSON is read as the YAML it is). A key written twice in one mapping is refused. Raises DocumentError."""
    # JSON may be indented with tabs, YAML may not. A tab inside a JSON string is written \t, so this cannot touch a value.
    source = text.replace("\t", " ") if text.lstrip().startswith("{") else text
    try:
        root = yaml.compose(source, Loader=_Loader)
        value = yaml.load(source, Loader=_Loader)  # noqa: S506 - a SafeLoader  # nosec B506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"{name} line {mark.line + 1}" if mark else name
        raise DocumentError(f"{at}: cannot be read: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError):
        raise DocumentError(f"{name}: cannot be read: not YAML or JSON") from None
    if root is not None:
        _refuse_repeated_keys(root, name)
    return Document(name, value, root)


def _step(node: yaml.Node, step: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _refuse_repeated_keys(root: yaml.Node, name: str) -> None:
    """YAML and JSON parsers keep the last of two equal keys and say nothing: half a table would be lost without a word."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[Any] = set()
            for key, value in node.value:
                if isinstance(key.value, str):
                    if key.value in keys:
                        raise DocumentError(f"{name} line {key.start_mark.line + 1}: the key '{key.value}' stands twice: merge the two")
                    keys.add(key.value)
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)

"""Strict YAML and JSON reading: values that know their line, interpreted as a person would expect.

Belongs here: reading, and clear errors for texts that cannot be read. Does not belong here:
what a file may contain (see `declared`), or where files are (see `project_files`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml


class RulesError(ValueError):
    """The business rules cannot be used. One line per fault: file, line, problem and next step."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        super().__init__("\n".join(self.faults))


_PLAIN = {
    "tag:yaml.org,2002:bool": (re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    "tag:yaml.org,2002:int": (re.compile(r"^[-+]?(?:0|[1-9][0-9_]*)$"), "-+0123456789"),
}


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Decides which unquoted words are not text. YAML 1.1 also reads NO (Norway) as false, ON (Ontario) as true, 1:30 as 90, 010 as 8 and 2026-01-01 as
    a date. Here all of these stay text, and each model converts them as it needs."""
    mine = {
        first: [(tag, pattern) for tag, pattern in rules if tag not in {*_PLAIN, "tag:yaml.org,2002:timestamp"}]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, (pattern, firsts) in _PLAIN.items():
        for first in firsts:
            mine.setdefault(first, []).insert(0, (tag, pattern))
    # YAML 1.1 allows colons in floats, too.
    number = re.compile(
        r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.[0-9]+|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    )
    for first, rules in mine.items():
        mine[first] = [(tag, number if tag == "tag:yaml.org,2002:float" else pattern) for tag, pattern in rules]
    return mine


class _Loader(yaml.SafeLoader):
    """Slow, but gives the clearest errors."""

    yaml_implicit_resolvers = _resolvers()


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


@dataclass(frozen=True)
class Document:
    """The values of a text, and the node tree that knows their lines."""

    name: str
    """The name used in errors: a path, or the variable that holds the text."""
    value: Any
    root: yaml.Node

    def path(self, steps: Sequence[int | str]) -> list[int | str]:
        """The steps that exist in the document. Steps that pydantic adds (the name of a union branch) and missing keys do not."""
        found: list[int | str] = []
        value: Any = self.value
        for step in steps:
            there = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
            if step in there:
                value = value[step]
                found.append(step)
        return found

    def line(self, steps: Sequence[int | str]) -> int:
        """The line (from 1) of the value at these steps, or of the deepest step that exists."""
        node, line = self.root, self.root.start_mark.line + 1
        for step in self.path(steps):
            found = _step(node, step)
            if found is None:
                break
            line, node = found
        return line

    def at(self, path: Sequence[int | str]) -> Any:
        """The value at an existing path."""
        value: Any = self.value
        for step in path:
            value = value[step]
        return value


def read_bytes(data: bytes, name: str) -> Document:
    """Read a file. Raises RulesError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RulesError([f"{name} line {line}: cannot be read: not UTF-8: save the file as UTF-8"]) from None
    return read_document(text, name)


def read_document(text: str, name: str) -> Document:
    """Read YAML or JSON (JSON is valid YAML). Refuses a key that occurs twice in one mapping. Raises RulesError."""
    # JSON may be indented with tabs, YAML may not. A tab inside a JSON string is written \t, so this cannot touch a value.
    source = text.replace("\t", " ") if text.lstrip().startswith("{") else text
    try:
        try:
            root, value = _parsed(source, _FastLoader, name)
        except (yaml.YAMLError, ValueError) as error:
            if isinstance(error, RulesError):
                raise
            root, value = _parsed(source, _Loader, name)
    except yaml.MarkedYAMLError as error:
        line, what = _in_words(error)
        raise RulesError([f"{name} line {line}: cannot be read: {what}"]) from None
    except yaml.reader.ReaderError as error:
        line = source.count("\n", 0, error.position) + 1
        raise RulesError([f"{name} line {line}: cannot be read: this line contains a control character: remove it"]) from None
    except RecursionError:
        raise RulesError([f"{name}: cannot be read: it is nested too deeply: remove some levels"]) from None
    except ValueError as error:
        if isinstance(error, RulesError):
            raise
        raise RulesError([f"{name}: cannot be read: a value does not match its '!!' tag: remove the tag"]) from None
    if root is None or value is None:
        raise RulesError([f"{name} line 1: the file is empty: add rules, or delete it to use the shipped ones"])
    return Document(name, value, root)


def nearest(word: object, known: Iterable[str]) -> str:
    """ " (did you mean 'b2b'?)", or an empty text if no known word is close."""
    close = difflib.get_close_matches(str(word), list(known), n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _parsed(source: str, loader_class: Any, name: str) -> tuple[yaml.Node | None, Any]:
    loader = loader_class(source)
    try:
        root = loader.get_single_node()
        if root is None:
            return None, None
        _refuse_repeated_keys(root, name)
        return root, loader.construct_document(root)
    finally:
        loader.dispose()


def _step(node: yaml.Node, step: int | str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line + 1, node.value[step]
    return None


def _refuse_repeated_keys(root: yaml.Node, name: str) -> None:
    """YAML and JSON parsers silently keep the last of two equal keys, which could drop half a table unnoticed."""
    faults: dict[int, str] = {}
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, value in node.value:
                waiting.append(value)
                if not isinstance(key.value, str):
                    continue
                line = key.start_mark.line + 1
                if key.value in first:
                    at = "on this line" if first[key.value] == line else f"here and on line {first[key.value]}"
                    faults[line] = f"{name} line {line}: the key '{key.value}' occurs twice, {at}: merge the two"
                first.setdefault(key.value, line)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
    if faults:
        raise RulesError(faults[line] for line in sorted(faults))


_WORDS = (
    (r"found character '\\t'", "a tab is not allowed here: indent with spaces"),
    (r"found character '(?P<sign>.)' that cannot start", "unquoted text cannot begin with {sign}: put it in quotes"),
    (r"expected ',' or '\]'", "the [ opened here is not closed, or a comma is missing inside it: add the missing character"),
    (r"expected ',' or '\}'", "the {{ opened here is not closed, or a comma is missing inside it: add the missing character"),
    (r"found unexpected end of stream", "the quote opened here is not closed: close it"),
    (r"mapping values are not allowed", "unexpected colon: fix the indentation, or put text that contains ': ' in quotes"),
    (r"sequence entries are not allowed", "unexpected '- ': a list starts on its own line, indented"),
    (r"could not find expected ':'", "a key has no colon: write key: value"),
    (r"expected <block end>", "this line does not fit the ones above it: check its indentation, quotes and brackets"),
    (r"expected the node content, but found '<stream end>'", "the file ends before a bracket or a mapping is closed: close it"),
    (r"expected the node content", "a value is missing before this place, or there is a stray character: add the value or remove the character"),
    (r"found undefined alias '(?P<sign>[^']*)'", "*{sign} refers to nothing: mark the value it means with &{sign}, or put the text in quotes"),
    (r"found unknown escape character", "unknown backslash escape in double quotes: use single quotes"),
    (r"but found another document", "--- starts a second document, but a file holds only one: remove the line"),
    (r"could not determine a constructor", "tags (words that begin with !) have no meaning here: remove it, or put the text in quotes"),
    (r"found unhashable key", "a list or mapping cannot be a key: use text"),
    (r"expected '<document start>'", "unexpected text after the end of the value: remove it, or an extra bracket before it"),
)  # fmt: skip


def _in_words(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """Line and message for a YAML parser's error."""
    problem = error.problem or error.context or ""
    opening = problem.startswith(("expected ',' or", "found unexpected end of stream"))
    mark = (error.context_mark if opening else None) or error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    for pattern, words in _WORDS:
        if found := re.match(f".*{pattern}", problem):
            return line, words.format(**found.groupdict())
    return line, "neither YAML nor JSON: check this line and the one above for a missing quote, bracket or colon"

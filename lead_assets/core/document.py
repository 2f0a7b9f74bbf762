"""A YAML or JSON text as values that know their lines, read strictly and as a person means it.

Belongs here: reading, and what is wrong with a text before anybody asks what it means, in words that say where and what to do. Does not belong here:
what may stand in a file (see `declared`), or where the files are (see `project_files`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import yaml


class RulesError(ValueError):
    """The business's rules cannot be used. One line per fault: file, line, what is wrong, and the next step."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        super().__init__("\n".join(self.faults))


_PLAIN = {
    "tag:yaml.org,2002:bool": (re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    "tag:yaml.org,2002:int": (re.compile(r"^[-+]?(?:0|[1-9][0-9_]*)$"), "-+0123456789"),
}


def _resolvers() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """Which plain words are no text. YAML 1.1 also reads NO (Norway) as false, ON (Ontario) as true, 1:30 as 90, 010 as 8 and 2026-01-01 as a date:
    here these are text, and a model makes what it wants of them."""
    mine = {
        first: [(tag, pattern) for tag, pattern in rules if tag not in {*_PLAIN, "tag:yaml.org,2002:timestamp"}]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, (pattern, firsts) in _PLAIN.items():
        for first in firsts:
            mine.setdefault(first, []).insert(0, (tag, pattern))
    # A float of YAML 1.1 may have colons, too.
    number = re.compile(
        r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.[0-9]+|\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    )
    for first, rules in mine.items():
        mine[first] = [(tag, number if tag == "tag:yaml.org,2002:float" else pattern) for tag, pattern in rules]
    return mine


class _Loader(yaml.SafeLoader):
    """Slow, and says best what is wrong."""

    yaml_implicit_resolvers = _resolvers()


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


@dataclass(frozen=True)
class Document:
    """A text's values, and the tree that knows where they stand."""

    name: str
    """What errors call it: a path, or the variable that holds it."""
    value: Any
    root: yaml.Node

    def path(self, steps: Sequence[int | str]) -> list[int | str]:
        """Those of the steps that are there. A model's own steps (the name of a union's branch) and a missing key are not."""
        found: list[int | str] = []
        value: Any = self.value
        for step in steps:
            there = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
            if step in there:
                value = value[step]
                found.append(step)
        return found

    def line(self, steps: Sequence[int | str]) -> int:
        """The line, from 1, of the value at the steps, or of the deepest one that is there."""
        node, line = self.root, self.root.start_mark.line + 1
        for step in self.path(steps):
            found = _step(node, step)
            if found is None:
                break
            line, node = found
        return line

    def at(self, path: Sequence[int | str]) -> Any:
        """The value at a path that is there."""
        value: Any = self.value
        for step in path:
            value = value[step]
        return value


def read_bytes(data: bytes, name: str) -> Document:
    """A file's content. Raises RulesError."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RulesError([f"{name} line {line}: cannot be read: not UTF-8: save the file as UTF-8"]) from None
    return read_document(text, name)


def read_document(text: str, name: str) -> Document:
    """YAML or JSON text (JSON is read as the YAML it is). A key written twice in one mapping is refused. Raises RulesError."""
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
        raise RulesError([f"{name} line {line}: cannot be read: a control character stands here: remove it"]) from None
    except RecursionError:
        raise RulesError([f"{name}: cannot be read: it is nested too deeply: take out some of the brackets"]) from None
    except ValueError as error:
        if isinstance(error, RulesError):
            raise
        raise RulesError([f"{name}: cannot be read: a value is not what its '!!' tag says: remove the tag"]) from None
    if root is None or value is None:
        raise RulesError([f"{name} line 1: the file is empty: write its rules, or remove it so that the shipped ones hold"])
    return Document(name, value, root)


def nearest(word: object, known: Iterable[str]) -> str:
    """ " (did you mean 'b2b'?)", or nothing if no known word is near."""
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
    """YAML and JSON parsers keep the last of two equal keys and say nothing: half a table would be lost without a word."""
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
                    at = "in this line" if first[key.value] == line else f"here and in line {first[key.value]}"
                    faults[line] = f"{name} line {line}: the key '{key.value}' stands twice, {at}: merge the two"
                first.setdefault(key.value, line)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
    if faults:
        raise RulesError(faults[line] for line in sorted(faults))


_WORDS = (
    (r"found character '\\t'", "a tab stands here: YAML is indented with spaces, replace it"),
    (r"found character '(?P<sign>.)' that cannot start", "a text cannot begin with {sign} unless it is in quotes: put it in quotes"),
    (r"expected ',' or '\]'", "the [ that opens here is not closed, or a comma is missing in it: write the missing sign"),
    (r"expected ',' or '\}'", "the {{ that opens here is not closed, or a comma is missing in it: write the missing sign"),
    (r"found unexpected end of stream", "the quote that opens here is not closed: close it"),
    (r"mapping values are not allowed", "a colon stands where no key can be: mend the indentation, or put a text that holds ': ' in quotes"),
    (r"sequence entries are not allowed", "a '- ' stands where no list can begin: put it on a line of its own, indented"),
    (r"could not find expected ':'", "a key without its colon: write key: value"),
    (r"expected <block end>", "the line does not fit the ones above it: mend its indentation, its quotes or its brackets"),
    (r"expected the node content, but found '<stream end>'", "the file ends before a bracket or a mapping is closed: close it"),
    (r"expected the node content", "a value is missing before this place, or a sign too many stands in it: write the value, or remove the sign"),
    (r"found undefined alias '(?P<sign>[^']*)'", "*{sign} points at nothing: write &{sign} at the value that it means, or put the text in quotes"),
    (r"found unknown escape character", "a backslash in double quotes: use single quotes"),
    (r"but found another document", "a second document begins with ---: a file holds one, remove the line"),
    (r"could not determine a constructor", "a tag that begins with ! has no meaning here: remove it, or put the text in quotes"),
    (r"found unhashable key", "a list or a mapping cannot be a key: write a text"),
    (r"expected '<document start>'", "something stands behind the end of the value: remove it, or a bracket too many"),
)  # fmt: skip


def _in_words(error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """Line and words for what a YAML parser found."""
    problem = error.problem or error.context or ""
    opening = problem.startswith(("expected ',' or", "found unexpected end of stream"))
    mark = (error.context_mark if opening else None) or error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    for pattern, words in _WORDS:
        if found := re.match(f".*{pattern}", problem):
            return line, words.format(**found.groupdict())
    return line, "neither YAML nor JSON: look at this line and the one above for a missing quote, bracket or colon"

"""Business rules declared in YAML: each file has a pydantic model, and each fault names the file, the line, the likely intent and the next step.

Belongs here: finding a rules file, reading it once, checking it against its model, hashing it. Does not belong here: what a file means (see the room
that declares it), references between files (see `lead_assets.rules`), or YAML itself (see `document`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lead_assets.core.document import Document, RulesError, read_bytes, read_document
from lead_assets.core.faults import in_words
from lead_assets.core.project_files import rules_file, rules_folders, shipped_rules_file
from lead_assets.core.settings import Settings

LIKE_RULES = (".yaml", ".yml", ".json")
"""File endings of rules files."""

IN_SETTINGS = {"routing.yaml": "routing_json"}
"""Files that a setting can replace. The setting holds inline JSON, or the path of a JSON or YAML file."""


class Declared(BaseModel):
    """Base model for anything in a rules file: undeclared keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


_R = TypeVar("_R", bound=BaseModel)


@dataclass(frozen=True)
class Mistake:
    """One problem at one place in a file, with the next step."""

    where: tuple[int | str, ...]
    what: str


@dataclass(frozen=True)
class RulesSource:
    """Where a file's content currently comes from. Equal sources have equal content."""

    name: str
    path: Path | None = None
    stamp: tuple[int, ...] = ()
    text: str | None = None


def _nothing(_rules: Any) -> Iterable[Mistake]:
    return ()


@dataclass(frozen=True, eq=False)
class RulesFile(Generic[_R]):
    """One rules file. Declare it, list it in `lead_assets.rules`, and it is checked before every run."""

    name: str
    model: type[_R]
    mistakes: Callable[[_R], Iterable[Mistake]] = _nothing
    """Finds mistakes that the model alone cannot see."""
    summary: Callable[[_R], str] = lambda _rules: "as declared"
    """The line `doctor` prints about the file."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Lists and mappings whose entries errors refer to by name: {"territories": "territory"} gives "territory 'dach'"."""
    moved: Mapping[str, str] = field(default_factory=dict)
    """Keys of earlier releases, with dots and * for any name, and what to do instead: "model.mended" → "rename it to 'repaired'"."""

    def load(self, settings: Settings) -> _R:
        """The rules in force: from LEAD_ASSETS_RULES_DIR if it has the file, otherwise the shipped ones. Raises RulesError listing every fault."""
        return _loaded(self, source_of(self.name, settings))  # type: ignore[return-value]

    def parse(self, document: Document) -> _R:
        """Parse a document into these rules. Raises RulesError listing every fault."""
        try:
            rules = self.model.model_validate(document.value)
        except ValidationError as error:
            items = error.errors(include_input=False, include_url=False)
            raise RulesError(self.said(document, Mistake(item["loc"], self._in_words(item, document))) for item in items) from None
        if faults := [self.said(document, fault) for fault in self.mistakes(rules)]:
            raise RulesError(faults)
        return rules

    def _in_words(self, item: Mapping[str, Any], document: Document) -> str:
        """The fault, and for whoever copied the file from an earlier release where its key has gone or what the shipped file has there."""
        where, words = item["loc"], in_words(item, self.model, document)
        if item["type"] == "extra_forbidden":
            own = ".".join(str(step) for step in where)
            gone = next((advice for key, advice in self.moved.items() if fnmatchcase(own, key)), None)
            return f"'{where[-1]}' is from an earlier release: {gone}" if gone else words
        shipped = shipped_rules_file(self.name)
        if item["type"] == "missing" and words.endswith(": add it") and shipped.is_file() and all(isinstance(step, str) for step in where):
            there = _read(_of_path(shipped, "cannot be read"))
            try:
                there.at(where)
            except (LookupError, TypeError):
                return words
            return f"{words}, as line {there.line(where)} of {shipped} does"
        return words

    def said(self, document: Document, fault: Mistake) -> str:
        """Format a fault as one line of an error."""
        path = document.path(fault.where)
        named = [
            f"{self.parts[container]} {_called(document, path[: index + 2])}: "
            for index, container in enumerate(path[:-1])
            if isinstance(container, str) and container in self.parts
        ]
        at = f" (at {'.'.join(str(step) for step in path)})" if path else ""
        return f"{document.name} line {document.line(path)}: {''.join(named)}{fault.what}{at}"


@dataclass(frozen=True)
class Declarations(Generic[_R]):
    """The content of a folder of declarations: the rules of each valid file, and all faults in the others."""

    rules: tuple[tuple[Document, _R], ...]
    faults: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class RulesFolder(Generic[_R]):
    """A folder of declarations, all files with the same model. A file with a mistake is reported, and the others stay in force."""

    name: str
    file: RulesFile[_R]
    """How to read each file; its name is the folder's."""

    def load(self, settings: Settings) -> Declarations[_R]:
        """The shipped declarations, then those in LEAD_ASSETS_RULES_DIR, each ordered by file name."""
        rules: list[tuple[Document, _R]] = []
        faults: list[str] = []
        for path in self.files(settings):
            try:
                source = _of_path(path, "cannot be read")
                rules.append((_read(source), _loaded(self.file, source)))  # type: ignore[arg-type]
            except RulesError as error:
                faults += error.faults
        return Declarations(tuple(rules), tuple(faults))

    def files(self, settings: Settings) -> list[Path]:
        """The files of both folders."""
        return [path for folder in rules_folders(self.name, settings) for path in sorted(folder.iterdir()) if _is_rules(path)]


def _is_rules(path: Path) -> bool:
    return path.suffix.casefold() in LIKE_RULES and not path.name.startswith(".")


def document_of(settings: Settings, name: str) -> Document:
    """The current content of a rules file. Raises RulesError if it cannot be read."""
    return _read(source_of(name, settings))


def rules_digest(settings: Settings, name: str) -> str:
    """A hash of what a rules file says, or a folder of them. Comments, spacing and layout do not change it.

    Never raises, so that code versions can always include it: an unreadable file gets a hash of its error.
    """
    try:
        if not name.endswith(LIKE_RULES):
            return _hash(
                [rules_digest_of(path) for folder in rules_folders(name, settings) for path in sorted(folder.iterdir()) if _is_rules(path)]
            )
        return _digest(source_of(name, settings))
    except RulesError as error:
        return _hash(error.faults)


def rules_digest_of(path: Path) -> str:
    """A hash of what one file in a folder says."""
    try:
        return _digest(_of_path(path, "cannot be read"))
    except RulesError as error:
        return _hash(error.faults)


def source_of(name: str, settings: Settings) -> RulesSource:
    """Where a rules file is read from: its own setting, then LEAD_ASSETS_RULES_DIR, then the shipped rules. Raises RulesError."""
    own = IN_SETTINGS.get(name)
    given = getattr(settings, own) if own else None
    if not given:
        return _of_path(rules_file(name, settings), "cannot be read")
    variable = str(Settings.model_fields[str(own)].validation_alias)
    if given.lstrip().startswith("{"):
        return RulesSource(variable, text=given)
    return _of_path(Path(given), f"{variable} is neither a JSON object nor the path of a readable file")


def _of_path(path: Path, otherwise: str) -> RulesSource:
    try:
        stat = path.stat()
        if not path.is_file():
            raise IsADirectoryError(path)
    except (OSError, ValueError) as error:
        raise RulesError([f"{otherwise} ({type(error).__name__}): {path}: correct the path or create the file"]) from None
    return RulesSource(str(path), path, (stat.st_mtime_ns, stat.st_size, stat.st_ino))


@lru_cache(maxsize=256)
def _read(source: RulesSource) -> Document:
    if source.path is None:
        return read_document(source.text or "", source.name)
    try:
        return read_bytes(source.path.read_bytes(), source.name)
    except OSError as error:
        raise RulesError([f"{source.name}: cannot be read ({type(error).__name__}): check its permissions"]) from None


@lru_cache(maxsize=256)
def _loaded(file: RulesFile[Any], source: RulesSource) -> BaseModel:
    return file.parse(_read(source))


@lru_cache(maxsize=256)
def _digest(source: RulesSource) -> str:
    return _hash(_read(source).value)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, default=str).encode()).hexdigest()[:16]


def _called(document: Document, path: Sequence[int | str]) -> str:
    """The name a person would use for an entry of a list or mapping."""
    entry = document.at(path)
    if isinstance(path[-1], int):
        name = next((entry[key] for key in ("id", "name", "pattern", "model") if isinstance(entry, dict) and entry.get(key)), None)
        return f"'{name}'" if name else str(path[-1] + 1)
    return f"'{path[-1]}'"

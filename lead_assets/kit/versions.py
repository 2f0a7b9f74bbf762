"""The code version of an asset: its contract, the source of its logic, and the rules it reads.

If you edit rules/scoring.yaml, only the scores get a new version; assets downstream are then out of date because of their input.

Belongs here: computing versions. Does not belong here: acting on them (`tables`, `lead_assets.automation`, `lead_assets.cli.status`).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dagster import AssetKey, AssetsDefinition, AssetSpec

from lead_assets.contracts import Table
from lead_assets.core.declared import rules_digest
from lead_assets.core.document import RulesError
from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings

_SUFFIXES = frozenset({".py", ".yaml", ".txt", ".csv", ".parquet"})


@dataclass(frozen=True)
class Logic:
    """What decides a table's rows besides its inputs. `modules`: packages (everything in them except `assets.py`) and modules."""

    modules: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    version: str = ""
    says: Callable[[Settings], object] | None = None
    """Part of a rules file, where the whole of it decides more than these rows. Must not raise."""

    def digest(self, settings: Settings) -> str:
        """Changes with the source of the modules (but not their comments), the current rules, and the version."""
        parts = [self.version, *(_source(module) for module in self.modules), *(rules_digest(settings, name) for name in self.rules)]
        if self.says is not None:
            parts.append(json.dumps(self.says(settings), default=str))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


_registered: dict[AssetKey, tuple[Logic, type[Table]]] = {}
_places: dict[AssetKey, tuple[str, int]] = {}


def register(key: AssetKey, logic: Logic, contract: type[Table], place: tuple[str, int]) -> None:
    """`place`: file and line of the function that makes the table."""
    _registered[key], _places[key] = (logic, contract), place


def decided_by(key: AssetKey, settings: Settings) -> list[tuple[str, int, str]]:
    """Where to look when a table's rows surprise: (file, line, label) of the function that makes it, and of the rules files in force."""
    if key not in _registered:
        return []
    path, line = _places[key]
    found = [(path, line, "makes the table")]
    for name in _registered[key][0].rules:
        with contextlib.suppress(RulesError):
            if (file := rules_file(name, settings)).is_file():
                found.append((str(file), 1, f"rules: {name}"))
    return found


def versioned(asset: AssetsDefinition, settings: Settings) -> AssetsDefinition:
    """The asset with its code versions under these settings' rules."""
    return asset.map_asset_specs(lambda spec: _versioned(spec, settings))


def code_version(key: AssetKey, settings: Settings) -> str | None:
    if key not in _registered:
        return None
    logic, contract = _registered[key]
    try:
        return f"{logic.digest(settings)}-{contract.fingerprint()}"
    except RulesError:
        # The code location still loads: a run or the sensor reports what is wrong with the rules.
        return f"rules-cannot-be-read-{contract.fingerprint()}"


def _versioned(spec: AssetSpec, settings: Settings) -> AssetSpec:
    found = code_version(spec.key, settings)
    return spec.replace_attributes(code_version=found) if found is not None else spec


@functools.cache
def _source(module: str) -> str:
    """Hash of the source of a module, or of all modules and data files in a package, without blank lines and comment-only lines."""
    digest = hashlib.sha256()
    for path in _files(module):
        digest.update(path.name.encode() + b"\n" + _content(path))
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".parquet":
        return content
    return b"\n".join(line for line in content.splitlines() if line.strip() and not line.lstrip().startswith(b"#"))


def _files(module: str) -> Iterator[Path]:
    # Located by path, not by import, so that modules which buy or judge are loaded only when used.
    root = importlib.util.find_spec("lead_assets")
    assert root is not None
    assert root.submodule_search_locations is not None
    path = Path(root.submodule_search_locations[0]).joinpath(*module.split(".")[1:])
    if path.with_suffix(".py").exists():
        yield path.with_suffix(".py")
    elif path.is_dir():
        yield from (each for each in sorted(path.rglob("*")) if each.suffix in _SUFFIXES and each.name != "assets.py")
    else:
        raise ModuleNotFoundError(f"{module}: declared as the logic of a table but is not a module of this package")

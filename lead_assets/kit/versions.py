"""The code version of an asset: its contract, the source of its logic and the rules that it reads.

Edit rules/scoring.yaml and exactly the scores are of another version; what hangs on them is then out of date by its input.

Belongs here: how a version is told. Does not belong here: what is done about it (`tables`, `lead_assets.automation`, `lead_assets.cli.status`).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dagster import AssetKey, AssetsDefinition, AssetSpec

from lead_assets.contracts import Table
from lead_assets.core.declared import rules_digest
from lead_assets.core.document import RulesError
from lead_assets.core.settings import Settings


@dataclass(frozen=True)
class Logic:
    """What decides the rows of a table besides its inputs. `modules`: packages (all that is in them but `assets.py`) and modules."""

    modules: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    version: str = ""

    def digest(self, settings: Settings) -> str:
        """Changes with the source of the modules (but not with their comments), the rules as they are now, and the version."""
        parts = [self.version, *(_source(module) for module in self.modules), *(rules_digest(settings, name) for name in self.rules)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


_registered: dict[AssetKey, tuple[Logic, type[Table]]] = {}


def register(key: AssetKey, logic: Logic, contract: type[Table]) -> None:
    _registered[key] = logic, contract


def versioned(asset: AssetsDefinition, settings: Settings) -> AssetsDefinition:
    """The asset with the code versions that it has under these settings' rules."""
    return asset.map_asset_specs(lambda spec: _versioned(spec, settings))


def code_version(key: AssetKey, settings: Settings) -> str | None:
    if key not in _registered:
        return None
    logic, contract = _registered[key]
    try:
        return f"{logic.digest(settings)}-{contract.fingerprint()}"
    except RulesError:
        # The code location loads all the same: a run, and the sensor, say what is wrong with the rules.
        return f"rules-cannot-be-read-{contract.fingerprint()}"


def _versioned(spec: AssetSpec, settings: Settings) -> AssetSpec:
    found = code_version(spec.key, settings)
    return spec.replace_attributes(code_version=found) if found is not None else spec


@functools.cache
def _source(module: str) -> str:
    """Hash of the source of a module, or of all modules of a package, without blank lines and lines that are only a comment."""
    digest = hashlib.sha256()
    for path in _files(module):
        lines = (line for line in path.read_bytes().splitlines() if line.strip() and not line.lstrip().startswith(b"#"))
        digest.update(path.name.encode() + b"\n" + b"\n".join(lines))
    return digest.hexdigest()


def _files(module: str) -> Iterator[Path]:
    # Found by path and not by import: what buys or judges is loaded only where it is used.
    root = importlib.util.find_spec("lead_assets")
    assert root is not None
    assert root.submodule_search_locations is not None
    path = Path(root.submodule_search_locations[0]).joinpath(*module.split(".")[1:])
    if path.with_suffix(".py").exists():
        yield path.with_suffix(".py")
    elif path.is_dir():
        yield from (each for each in sorted(path.rglob("*.py")) if each.name != "assets.py")
    else:
        raise ModuleNotFoundError(f"{module}: named as the logic of a table, and is no module of this package")

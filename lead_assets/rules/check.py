"""Checks all rules before the first step of a run, so that nothing is spent on broken rules.

Belongs here: going through the files and collecting every fault. Does not belong here: who calls it (commands, the drop sensor, Dagster's runs), or
references between files (see `across`). Parsed files stay in memory until they change, so a check costs a few milliseconds.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lead_assets.classification.profiles import load_profiles
from lead_assets.core import last_good
from lead_assets.core.declared import IN_SETTINGS, LIKE_RULES, RulesFile, document_of, source_of
from lead_assets.core.document import RulesError, nearest
from lead_assets.core.project_files import rules_file, rules_folders
from lead_assets.core.settings import Settings
from lead_assets.intake.shapes import load_shapes
from lead_assets.rules.across import across
from lead_assets.rules.files import rules_files

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Examined:
    """The result for one file: its faults, or a short summary of its content."""

    name: str
    faults: tuple[str, ...]
    summary: str


def check_rules(settings: Settings, files: Sequence[RulesFile[Any]] | None = None) -> None:
    """Raises RulesError with every fault in the files and in their folder."""
    faults = [fault for each in examine_rules(settings, files) for fault in each.faults]
    if faults:
        raise RulesError(faults)


def rules_stamp(settings: Settings) -> object:
    """Equal as long as no rules file was changed: where each is, and its time and size."""
    folders = {folder for name in ("profiles", "shapes") for folder in rules_folders(name, settings)}
    inside = tuple(
        (str(path), path.stat().st_mtime_ns) for folder in sorted(folders) if folder.is_dir() for path in sorted(folder.iterdir())
    )
    return tuple(source_of(each.name, settings) for each in rules_files()), inside


def put_in_force(settings: Settings) -> None:
    """Check the rules before work that nobody waits for.

    As `check_rules`, except that LEAD_ASSETS_RULES_DIR, if it was good before, stays in force as it was then. Its faults are a warning here, and `doctor`
    fails with them. Raises RulesError if it was never good, or the fault is elsewhere. Commands use `check_rules`: whoever types one can correct the file.
    """
    try:
        check_rules(settings)
    except RulesError as error:
        if not last_good.fall_back(settings, error.faults):
            raise
        if [fault for each in _examined(settings, None) for fault in each.faults if each.name != "folder"]:
            last_good.give_up(settings)
            raise
        said = "\n".join(error.faults)
        _log.warning("%s\nThe rules as they were before stay in force until this is corrected: see lead-assets doctor", said)
    else:
        last_good.keep(settings)


def examine_rules(settings: Settings, files: Sequence[RulesFile[Any]] | None = None) -> list[Examined]:
    """Every rules file as it is saved, checked alone and against the others, and the user's own folder."""
    with last_good.as_saved():
        return _examined(settings, files)


def _examined(settings: Settings, files: Sequence[RulesFile[Any]] | None) -> list[Examined]:
    declared = rules_files() if files is None else tuple(files)
    known: dict[RulesFile[Any], Any] = {}
    faults: dict[str, list[str]] = {file.name: [] for file in declared}
    for file in declared:
        try:
            known[file] = file.load(settings)
        except RulesError as error:
            faults[file.name] += error.faults
    for file, fault in across(known, settings):
        faults[file.name].append(file.said(document_of(settings, file.name), fault))
    examined = [
        Examined(name, tuple(dict.fromkeys(said)), ", ".join(file.summary(known[file]) for file in known if file.name == name))
        for name, said in faults.items()
    ]
    if files is None:
        examined.append(_shapes(settings))
    if settings.rules_dir is not None:
        examined.append(Examined("folder", tuple(_strangers(settings, settings.rules_dir, list(faults))), str(settings.rules_dir)))
    return examined


def _shapes(settings: Settings) -> Examined:
    try:
        known = load_shapes(settings)
    except RulesError as error:
        return Examined("shapes", error.faults, "")
    own = sum(1 for origin in known.origins.values() if settings.rules_dir is not None and origin.startswith(str(settings.rules_dir)))
    profiles = load_profiles()
    faults = [
        f"{known.origins[name]}: shape '{name}': unknown profile '{shape.profile}'{nearest(shape.profile, profiles)}: correct or remove it"
        for name, shape in known.shapes.items()
        if shape.profile is not None and shape.profile not in profiles
    ]
    return Examined("shapes", (*known.faults, *faults), f"{len(known.shapes)} shapes, {own} of them your own")


def _strangers(settings: Settings, folder: Path, known: Sequence[str]) -> Iterator[str]:
    """Files that look like rules but that nobody reads: most likely a typo in the name, which would silently leave the shipped rules in force."""
    elsewhere = [
        Path(value).resolve() for name in IN_SETTINGS.values() if (value := getattr(settings, name)) and not value.lstrip().startswith("{")
    ]
    if not folder.is_dir():
        try:
            rules_file("", settings)
        except RulesError as error:
            yield from error.faults
        return
    for path in sorted(folder.iterdir()):
        if (
            path.suffix.casefold() in LIKE_RULES
            and path.name not in known
            and not path.name.startswith(".")
            and path.resolve() not in elsewhere
        ):
            yield (
                f"{path}: no rules file has this name{nearest(path.name, known)}: rename it or move it elsewhere "
                f"(known: {', '.join(sorted(known))})"
            )

"""Finds files that lie beside the package in a checkout and inside it in a wheel (`sql/`, `fixtures/`, `dagster.yaml`), and business rules."""

from __future__ import annotations

from pathlib import Path

from lead_assets.core.document import RulesError
from lead_assets.core.last_good import folder_in_force
from lead_assets.core.settings import Settings

_PACKAGE = Path(__file__).parent.parent


def project_file(name: str) -> Path:
    """The path of a shipped file or folder. Raises FileNotFoundError."""
    for root in (_PACKAGE.parent, _PACKAGE / "shipped"):
        if (root / name).exists():
            return root / name
    raise FileNotFoundError(f"{name} is missing from the installation: reinstall lead-assets")


def rules_file(name: str, settings: Settings) -> Path:
    """The path of a rules file: the user's own (LEAD_ASSETS_RULES_DIR), otherwise the shipped one.

    Raises RulesError if the user's folder does not exist: a typo in its name must not route leads by the shipped rules.
    """
    if settings.rules_dir is not None and not settings.rules_dir.is_dir():
        raise RulesError(
            [f"LEAD_ASSETS_RULES_DIR is {settings.rules_dir}, which is not a folder: correct it, or unset it to use the shipped rules"]
        )
    own = folder_in_force(settings)
    if own is not None and (own / name).exists():
        return own / name
    return shipped_rules_file(name)


def shipped_rules_file(name: str) -> Path:
    """The path of a rules file as this release ships it."""
    return _PACKAGE / "rules" / name


def rules_folders(name: str, settings: Settings) -> list[Path]:
    """The folders for one kind of declarations: the shipped one, and the user's own with the same name, if any. Raises RulesError like `rules_file`."""
    shipped, own = shipped_rules_file(name), rules_file(name, settings)
    return [shipped] if own == shipped or not own.is_dir() else [shipped, own]

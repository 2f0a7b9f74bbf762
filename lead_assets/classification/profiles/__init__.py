"""The classification profiles: every module in this folder declares a `PROFILE`, and nothing else lists it.

Does not belong here: which campaign uses which profile (rules/classification.yaml, see `lead_assets.classification.rulebook`).
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from lead_assets.model.profile import Profile


@cache
def load_profiles() -> dict[str, Profile]:
    """All declared profiles by name, in order of precedence. Raises ValueError if two have the same name or precedence."""
    found: list[Profile] = [importlib.import_module(f"{__name__}.{module.name}").PROFILE for module in pkgutil.iter_modules(__path__)]
    for what in ("name", "precedence"):
        values = [getattr(profile, what) for profile in found]
        twice = {value for value in values if values.count(value) > 1}
        if twice:
            raise ValueError(f"classification profiles: two profiles have the {what} {sorted(twice)[0]!r}: give each its own")
    return {profile.name: profile for profile in sorted(found, key=lambda p: p.precedence)}

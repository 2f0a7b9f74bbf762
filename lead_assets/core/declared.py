"""Declarations in YAML, the business's own: a model says what may stand in a file, and a fault names the file and the field.

Does not belong here: what any file means (see the room that reads it), or where the files are (see `project_files`).
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lead_assets.core.project_files import rules_file
from lead_assets.core.settings import Settings


class Declared(BaseModel):
    """What a YAML file may hold: a key that is not declared is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


_R = TypeVar("_R", bound=Declared)


def load_declared(settings: Settings, name: str, model: type[_R]) -> _R:
    """A file of rules, or the file of that name below settings.rules_dir. Raises ValueError naming file and field."""
    import yaml

    path = rules_file(name, settings)
    try:
        return model.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        at = f", line {place.line + 1}" if place else ""
        raise ValueError(f"{path.name}{at}: not YAML: mend the file in {path.parent}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path.name}: {where}: {first['msg']}: mend the file in {path.parent}") from None

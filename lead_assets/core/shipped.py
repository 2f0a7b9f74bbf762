"""Reads the word lists that ship beside the modules that use them, with libyaml's reader: ten times as fast as the one in Python, which cost each
process a fifth of a second.

Does not belong here: what a user may write (see `document`, which names the line of a mistake).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_WITH_TYPES: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ONLY_TEXT: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def read_shipped(file: Path, *, only_text: bool = False) -> Any:
    """The content of a YAML file. `only_text`: each value as it is written, so that NO is Norway and not false."""
    return yaml.load(file.read_bytes(), Loader=_ONLY_TEXT if only_text else _WITH_TYPES)  # noqa: S506 # nosec B506: both loaders make plain values only

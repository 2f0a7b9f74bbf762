"""One word for one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import lead_assets


def test_no_two_classes_have_one_name() -> None:
    root = Path(lead_assets.__file__).parent
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(path.relative_to(root).as_posix())
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}

"""Text files are UTF-8 wherever the product runs: a locale of a server, or of Windows, must not decide how the home is written."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import lead_assets

_ROOT = Path(lead_assets.__file__).parent


@pytest.mark.parametrize("folder", sorted(path.name for path in _ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"))
def test_no_text_file_is_opened_in_the_encoding_of_the_locale(folder: str) -> None:
    files = sorted((_ROOT / folder).rglob("*.py"))
    assert [f"{file.relative_to(_ROOT)}:{line}" for file in files for line in _without_encoding(file.read_text("utf-8"))] == []


def test_what_the_test_looks_for_is_found() -> None:
    spoiled = "a.read_text()\nb.write_text(text)\nopen(c)\nd.open('w')\nsubprocess.run(e, text=True)\n"
    assert _without_encoding(spoiled) == [1, 2, 3, 4, 5]
    fine = "a.read_text('utf-8')\nb.write_text(text, encoding='utf-8')\nopen(c, 'rb')\nd.open()\nledger.open()\narchive.open(name, 'w')\n"
    assert _without_encoding(fine) == []


def _without_encoding(source: str) -> list[int]:
    """Lines of calls that read or write text, or start a command that talks text, in no declared encoding."""
    return sorted(call.lineno for call in ast.walk(ast.parse(source)) if isinstance(call, ast.Call) and _is_undeclared(call))


def _is_undeclared(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = {keyword.arg for keyword in call.keywords}
    if "encoding" in named:
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) < (1 if name == "read_text" else 2)
    if name in ("run", "Popen", "check_output"):
        return bool(named & {"text", "universal_newlines"})
    if name != "open" or len(call.args) > 2:
        return False
    is_function = isinstance(call.func, ast.Name)
    # Path.open takes the mode first; what a zip or an archive opens takes a name first, and gives bytes.
    at = 1 if is_function else 0
    mode = call.args[at] if len(call.args) > at else None
    said = mode.value if isinstance(mode, ast.Constant) else "r" if mode is None and is_function else None
    return isinstance(said, str) and said.rstrip("+") in ("r", "w", "a", "x")

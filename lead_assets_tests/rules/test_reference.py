"""docs/RULES.md describes the rules files as their models are; the documentation builds as a site, with every link in place and nothing fetched."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lead_assets.rules.files import rules_files
from lead_assets.rules.reference import reference

ROOT = Path(__file__).parents[2]


def test_the_rules_reference_is_current() -> None:
    assert (ROOT / "docs" / "RULES.md").read_text(encoding="utf-8") == reference(), "run `make tables`"


def test_every_file_and_each_of_its_keys_is_there() -> None:
    page = reference()
    for file in rules_files():
        assert f"## {file.name}\n" in page
        for key, field in file.model.model_fields.items():
            assert f"| `{field.alias or key}` |" in page, (file.name, key)
    assert "| `drops_routed_within` | duration (`30s`, `5m`, `12h`, `90d`, `2w`) | required | Time from the receipt of a drop until" in page


@pytest.mark.slow
def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    mkdocs = Path(sys.executable).parent / "mkdocs"
    done = subprocess.run(
        [str(mkdocs), "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").glob("*.html"))
    assert len(pages) >= 12
    for page in pages:
        loaded = re.findall(r"<(?:script|img|link)[^>]+(?:src|href)=\"(https?://[^\"]+)", page.read_text(encoding="utf-8"))
        assert loaded == [], page.name

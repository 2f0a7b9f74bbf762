"""docs/RECIPES.md, followed word for word: each block is written where its title says, each command is run, in the order of the document."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lead_assets.core.project_files import project_file

RECIPES = (Path(__file__).parents[1] / "docs" / "RECIPES.md").read_text(encoding="utf-8")
EXPECTED = {
    "A payload shape": ["read as acme_form", "respondent.mail → email", "recipes"],
    "A signal": ["address_pattern"],
    "A vendor": ["acme", "0.02"],
    "A destination": ["acme"],
    "A classification profile": ["recipes"],
    "A mart": ["acme 2", "mean_score", "events", "b2b"],
}
RUN = """
import contextlib, io, json, os, runpy, shlex, sys
from lead_assets.cli.app import main
from lead_assets.sandbox import start

said = []
with start() as sandbox:
    os.environ["LEAD_ASSETS_SANDBOX_URL"] = sandbox.url
    for line in json.loads(sys.argv[1]):
        program, *arguments = shlex.split(line)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            try:
                if program == "python":
                    sys.argv = arguments[1:]
                    runpy.run_module(arguments[1], run_name="__main__")
                else:
                    sys.argv = [program, *arguments]
                    main()
            except SystemExit as stop:
                assert not stop.code, (line, stop.code, out.getvalue())
        said.append(out.getvalue())
print(json.dumps(said))
"""


class Block(NamedTuple):
    language: str
    title: str
    text: str


def recipes() -> Iterator[tuple[str, list[Block]]]:
    for part in RECIPES.split("\n## ")[1:]:
        name = part.partition("\n")[0]
        found = re.findall(r'^```(\w+)(?: title="([^"]*)")?\n(.*?)^```$', part, re.MULTILINE | re.DOTALL)
        yield name, [Block(*each) for each in found]


def follow(checkout: Path, block: Block) -> None:
    """Write a block into the checkout as its title says."""
    if match := re.fullmatch(r"append to (\S+)", block.title):
        with (checkout / match[1]).open("a", encoding="utf-8") as file:
            file.write(block.text)
    elif match := re.fullmatch(r"below '(.*)' in (\S+)", block.title):
        path = checkout / match[2]
        text = path.read_text(encoding="utf-8")
        assert text.count(f"\n{match[1]}\n") == 1, block.title
        path.write_text(text.replace(f"\n{match[1]}\n", f"\n{match[1]}\n{block.text}"), encoding="utf-8")
    else:
        path = checkout / block.title
        assert not path.exists(), block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")


@pytest.mark.slow
def test_each_recipe_does_what_it_says(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(project_file("lead_assets"), checkout / "lead_assets", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("sql", "dagster.yaml", "workspace.yaml"):
        (shutil.copytree if project_file(name).is_dir() else shutil.copy)(project_file(name), checkout / name)
    environment = {"PYTHONPATH": str(checkout), "LEAD_ASSETS_HOME": str(tmp_path / "home"), "PATH": os.environ["PATH"]}

    def run(commands: list[str]) -> list[str]:
        command = [sys.executable, "-c", RUN, json.dumps(commands)]
        done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        said: list[str] = json.loads(done.stdout.splitlines()[-1])
        return said

    done = []
    for name, blocks in recipes():
        commands = [line for block in blocks if block.language == "sh" for line in block.text.splitlines()]
        for block in blocks:
            if block.language != "sh":
                follow(checkout, block)
        printed = "\n".join(run(commands))
        assert [words for words in EXPECTED[name] if words not in printed] == [], printed[-3000:]
        done.append(name)
    assert done == list(EXPECTED)
    rows = run(
        [
            "lead-assets export signals.enriched_leads --format json --out enriched.json --json",
            "lead-assets export classification.classifications --format json --out classified.json --json",
            "lead-assets lineage marts.profile_mix.mean_score --json",
        ]
    )
    enriched = json.loads((checkout / "enriched.json").read_text())
    assert len(enriched) == 2
    assert all(row["address_pattern"] and row["events_per_year"] == len(row["company_domain"]) for row in enriched)
    classified = {row["profile"]: row for row in json.loads((checkout / "classified.json").read_text())}
    assert classified.keys() == {"b2b", "events"}
    answer = classified["events"]["answer"]
    assert (json.loads(answer) if isinstance(answer, str) else answer)["event_size"] in {"large", "small", "unknown"}
    assert "scoring.scores.score" in rows[2]

"""The rules' declared versions: whoever changes how answers are judged must increase one, or replay would never ask refused questions again.

judged.json holds what the rules of these versions make of a set of answers, and a digest of the tables they go by. If it differs, raise `VERSION` in
`lead_assets.model.governance`, `message_rules` or `doubts`, then `python -m lead_assets_tests.model.test_rule_versions` writes it anew.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import pytest

from lead_assets.classification.rulebook import load_rulebook
from lead_assets.core.settings import Settings
from lead_assets.model import doubts, governance, message_rules, replay
from lead_assets_tests.model.test_governance import FACTS, GOOD, LENDING

RECORD = Path(__file__).parent / "judged.json"
TABLES = {
    governance: ("_CODES", "_PLAIN"),
    message_rules: (
        "_PLACEHOLDER",
        "_CONTACT",
        "_DENIED",
        "PROMISES",
        "_MAY_BE_KNOWN",
        "_FIGURE",
        "_GREETING",
        "_GREETED_GENERALLY",
        "_NAMED_OUTRIGHT",
        "_NOT_NAMES",
        "_SENTENCE_START",
    ),
}


def versions() -> dict[str, str]:
    return {"governance": governance.VERSION, "message_rules": message_rules.VERSION, "doubts": doubts.VERSION}


def tables() -> str:
    """Digest of the tables that decide."""
    said = [[name, _plain(getattr(module, name))] for module, names in TABLES.items() for name in names]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def judged(change: dict[str, Any]) -> list[str]:
    """What is wrong with a good answer after a change, as "code field"."""
    (result,) = governance.judge([governance.Claim(LENDING, FACTS, json.dumps({**GOOD, **change}))])
    found = list(result.violations)
    if result.answer is not None:
        found += doubts.of(LENDING, FACTS, result.answer, json.dumps(change), suspicious=True, canary="kestrelword")
    return [f"{violation.code} {violation.field}".strip() for violation in found]


def record(answers: list[dict[str, Any]]) -> dict[str, Any]:
    return {"versions": versions(), "tables": tables(), "answers": [{"change": each, "violations": judged(each)} for each in answers]}


def _plain(value: Any) -> Any:
    if isinstance(value, re.Pattern):
        return [value.pattern, value.flags]
    if isinstance(value, dict):
        return [[key, _plain(each)] for key, each in sorted(value.items())]
    if isinstance(value, set | frozenset):
        return sorted(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def test_who_changes_a_rule_raises_its_version() -> None:
    recorded = json.loads(RECORD.read_text())
    now = record([each["change"] for each in recorded["answers"]])
    if recorded["versions"] == now["versions"]:
        assert now == recorded, "the rules judge otherwise under the same version: " + str(__doc__)
    assert now == recorded, "a version was raised and judged.json is of the one before: " + str(__doc__)


def test_the_record_has_answers_of_every_kind() -> None:
    """A rule of which no answer in the record tells would change unnoticed."""
    found = {violation.split()[0] for each in json.loads(RECORD.read_text())["answers"] for violation in each["violations"]}
    of_the_whole_text = {"not_json", "empty", "truncated", "refusal"}
    assert set(replay.CODES) - of_the_whole_text == found


@pytest.mark.parametrize("module", [governance, message_rules, doubts])
def test_another_version_is_a_fix_and_a_comment_is_not(monkeypatch: pytest.MonkeyPatch, settings: Settings, module: Any) -> None:
    book = load_rulebook(settings)
    before = replay.fix_of(book)
    text = inspect.getsource(module)
    monkeypatch.setattr(inspect, "getsource", lambda of: f"# a comment\n{text}")
    assert replay.fix_of(book) == before
    monkeypatch.setattr(module, "VERSION", "next")
    assert replay.fix_of(book) != before


if __name__ == "__main__":
    kept = json.loads(RECORD.read_text())
    if kept["versions"] == versions() and record([each["change"] for each in kept["answers"]]) != kept:
        raise SystemExit("the rules judge otherwise: raise VERSION in lead_assets/model/governance.py, message_rules.py or doubts.py first")
    RECORD.write_text(json.dumps(record([each["change"] for each in kept["answers"]]), indent=1, ensure_ascii=False) + "\n")

"""How often the rules classifier reads which loan a lead asks for, in labelled texts (lead_assets_tests/classification/labels/loans.csv).

`python -m benchmarks.loans`. Each part of the file was written before it was read against the rules, and its misses were mended after that, so that a
figure for a part is one for texts that were seen. Right of each part when it was first read: 308 of 413, 91 of 120, 95 of 110, 86 of 104, 65 of 79,
83 of 90; the first two by the rules before these, whose words are no longer there.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

from lead_assets.classification.golden import load_golden
from lead_assets.classification.profiles import load_profiles

LABELS = Path(__file__).parent.parent / "lead_assets_tests" / "classification" / "labels" / "loans.csv"


def labelled() -> list[tuple[str, str, str]]:
    """(part, label, text) of each labelled text."""
    with LABELS.open(encoding="utf-8", newline="") as file:
        return [(row["part"], row["loan"], row["notes"]) for row in csv.DictReader(file)]


def misses() -> list[tuple[str, str, str, str]]:
    """(part, label, answer, text) of each text that is read otherwise than it is labelled."""
    by_rules = load_profiles()["lending"].by_rules
    read = [(part, label, str(by_rules({"notes": text})["loan_type"]), text) for part, label, text in labelled()]
    return [each for each in read if each[1] != each[2]]


def golden() -> dict[str, float]:
    """The share of golden lending leads that are read right, by field."""
    profile = load_profiles()["lending"]
    leads = [each for each in load_golden() if each.profile == "lending"]
    answers = [profile.by_rules(each.lead) for each in leads]
    return {
        field: sum(answer[field] == each.expected[field] for each, answer in zip(leads, answers, strict=True)) / len(leads)
        for field in ("loan_type", "investor_experience")
    }


def main() -> None:
    texts, wrong = labelled(), misses()
    of_part: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for part, *_ in texts:
        of_part[part][1] += 1
    for part, *_ in wrong:
        of_part[part][0] += 1
    print(f"{len(texts)} texts, {len(texts) - len(wrong)} right ({1 - len(wrong) / len(texts):.1%})")
    print("; ".join(f"part {part}: {count - missed} of {count}" for part, (missed, count) in of_part.items()))
    for field, share in golden().items():
        print(f"golden leads by rules, {field}: {share:.1%}")
    for part, label, answer, text in wrong:
        print(f"  {part} {label} read as {answer}: {text}")


if __name__ == "__main__":
    main()

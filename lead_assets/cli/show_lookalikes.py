"""Prints the answers of `lead-assets lookalike` for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

_out = Console()


def built(answer: dict[str, Any]) -> None:
    _say(f"{answer['rows']} records, {answer['high']} of high value; {_told(answer['spec'])}")
    if answer["repeated_ids"]:
        _say(f"{answer['repeated_ids']} rows left out: an earlier row has their id")
    _shared(answer)
    _say(f"written to {answer['path']}; next: lead-assets lookalike score --index {answer['path']} --input FILE --out FILE")


def scored(answer: dict[str, Any]) -> None:
    _say(f"{answer['rows']} leads, {answer['scored']} compared with {answer['index']['rows']} records; written to {answer['path']}")
    if answer["duplicates"]:
        _say(f"{answer['duplicates']} have the e-mail address of a record (is_duplicate)")
    _shared(answer)


def _shared(answer: dict[str, Any]) -> None:
    if answer["missing"]:
        _say(f"the table lacks {', '.join(answer['missing'])}: counted as empty")
    for note in answer["notes"]:
        _say(note)


def _told(spec: dict[str, Any]) -> str:
    kinds = {"text": f"text by {spec['embedding']}", "categories": "categories", "numbers": "numbers"}
    return "; ".join(f"{told}: {', '.join(spec[kind])}" for kind, told in kinds.items() if spec[kind])


def _say(text: str) -> None:
    _out.print(escape(text), highlight=False, soft_wrap=True)

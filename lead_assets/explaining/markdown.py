"""What `explain` found, as Markdown: for a terminal, a notebook, or a page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def as_markdown(answer: dict[str, Any]) -> str:
    """The whole answer. Texts from outside are shown as text, never as markup."""
    return "\n".join(_lines(answer)) + "\n"


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    if not answer["leads"] and not answer["rejected"]:
        yield f"Nothing is known of {_text(answer['asked'])}."
    for row in answer["rejected"]:
        yield f"- rejected in {_text(row['drop_name'])}, position {row['position']}: {row['code']}: {_text(row['reason'])}"
    for lead in answer["leads"]:
        yield from ("", f"# {_text(lead['lead_id'])} in {_text(lead['campaign_id'])}", "")
        yield f"Account {_text(lead['account_key'] or 'none')}; ${lead['cost_usd']:.4f} for it."
        yield from ("", "| when (UTC) | step | what |", "| --- | --- | --- |")
        for step in lead["timeline"]:
            when = step["at"].strftime("%Y-%m-%d %H:%M:%S") if step["at"] else ""
            cost = f" (${step['cost_usd']:.4f})" if step.get("cost_usd") else ""
            yield f"| {when} | {step['step']} | {_text(step['what'])}{cost} |"
        yield from _readings(lead)
        yield from _attempts(lead)
        yield from _judgement(lead)
        yield from _routing(lead)
    if answer["more"]:
        yield from ("", f"and {answer['more']} more leads: name one of them, or a campaign")


def _readings(lead: dict[str, Any]) -> Iterator[str]:
    if lead["read"]:
        yield from ("", "## Read as", "", "| column | value | from |", "| --- | --- | --- |")
        for each in lead["read"]:
            sources = "; ".join(f"{name} {value!r}" for name, value in each["from"].items())
            yield f"| {each['column']} | {_text(each['value'])} | {_text(sources)} |"


def _attempts(lead: dict[str, Any]) -> Iterator[str]:
    calls = [(signal, call) for signal in lead["signals"] for call in signal["attempts"]]
    if calls:
        yield from ("", "## Calls for its signals", "", "| signal | operation | outcome | price | ms |", "| --- | --- | --- | --- | --- |")
        for signal, call in calls:
            outcome = call["state"] + (f": {call['reason']}" if call["reason"] else "")
            price = f"up to ${call['cost_usd']:.4f}" if call["uncertain"] else f"${call['cost_usd']:.4f}"
            yield f"| {signal['signal']} | {_text(call['operation'])} | {_text(outcome)} | {price} | {call['latency_ms']} |"


def _judgement(lead: dict[str, Any]) -> Iterator[str]:
    judged, score = lead["class"], lead["score"]
    if judged.get("evidence"):
        yield from ("", "## Evidence", "", *(f"- {_text(quote)}" for quote in judged["evidence"]))
    if score:
        yield from (
            "",
            f"## Score {score['score']:g}, {score['tier']}",
            "",
            "| part | points | of | because |",
            "| --- | --- | --- | --- |",
        )
        for part in score["parts"]:
            yield f"| {_text(part.get('part', part['rule']))} | {part['points']:g} | {part['max_points']:g} | {_text(part['because'])} |"


def _routing(lead: dict[str, Any]) -> Iterator[str]:
    routing = lead["routing"]
    if routing:
        yield from ("", f"## Owner {_text(routing['owner'])}", "", _text(routing["reason"]), "")
        yield from (f"- {_text(each['rule'])}: {'met' if each['met'] else 'not met'}" for each in routing["rules_tried"])
        yield from (f"- passed over {_text(each['who'])}: {_text(each['why'])}" for each in routing.get("passed_over") or ())


def _text(value: Any) -> str:
    text = str(value).replace("\n", " ")
    for mark in ("\\", "|", "`", "<", "[", "*", "_"):
        text = text.replace(mark, f"\\{mark}")
    return text

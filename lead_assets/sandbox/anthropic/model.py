"""The sandbox's model: reads its prompt, as a model does, and answers in the requested contract.

Belongs here: the requested contract, the lead's facts in the prompt, what the model falls for, and the bad answers that a test can request with
`[[sandbox:...]]` in the lead. Does not belong here: judging a lead (`judgement`), what counts as an instruction (`gullible`), HTTP.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from lead_assets.sandbox.anthropic.filling import fill
from lead_assets.sandbox.anthropic.gullible import demands, without_instructions
from lead_assets.sandbox.anthropic.judgement import ShownLead

_TRIGGER = re.compile(r"\[\[sandbox:([a-z0-9_]+)\]\]")
_TAGGED = re.compile(r"<([a-z_]+)>\s*(.*?)\s*</\1>", re.S)
_GUARDED = re.compile(r"\bdata\b", re.I), re.compile(r"\b(?:not|never|no|n't|ignore|disregard)\b[^.\n]{0,80}\binstruct", re.I)


@dataclass(frozen=True)
class Completion:
    """What the model says."""

    content: list[dict[str, Any]]
    stop_reason: str = "end_turn"
    stop_details: dict[str, Any] | None = None


@dataclass
class Reading:
    """How the model understood its prompt."""

    facts: dict[str, Any] = field(default_factory=dict)
    """The lead, as the prompt gives it."""
    context: dict[str, Any] = field(default_factory=dict)
    """Other tagged blocks with JSON in them, by tag."""
    obeyed: dict[str, Any] = field(default_factory=dict)
    """The answers that instructions in the lead forced on it."""
    triggers: frozenset[str] = frozenset()
    turns: int = 1


def complete(params: dict[str, Any]) -> Completion:
    """Answer a Messages request whose parameters are valid."""
    schema, tool = _contract(params)
    reading = read(params)
    if "refusal" in reading.triggers:
        details = {"type": "refusal", "category": None, "explanation": "The sandbox was asked to refuse."}
        return Completion([], "refusal", details)
    if "empty" in reading.triggers:
        return Completion([])
    if schema is None:
        text = f"I read {len(reading.facts)} facts of a lead. Ask for a schema to get an answer."
        return _limited(Completion([{"type": "text", "text": text}]), params)
    content = fill(schema, ShownLead(reading.facts, reading.context))
    content.update({name: value for name, value in reading.obeyed.items() if name in content})
    prose = _spoiled(content, reading)
    if tool is not None and prose is None:
        block = {"type": "tool_use", "id": "toolu_sandbox", "name": tool, "input": content}
        return _limited(Completion([block], "tool_use"), params)
    blocks: list[dict[str, Any]] = [{"type": "text", "text": prose or json.dumps(content, ensure_ascii=False)}]
    if "thinking_first" in reading.triggers:
        blocks.insert(0, {"type": "thinking", "thinking": "The notes say what the lead wants.", "signature": "c2FuZGJveA=="})
    if "max_tokens" in reading.triggers:
        whole = blocks[-1]["text"]
        blocks[-1] = {"type": "text", "text": whole[: len(whole) // 2]}
        return Completion(blocks, "max_tokens")
    return _limited(Completion(blocks), params)


def read(params: dict[str, Any]) -> Reading:
    """Find the lead in the prompt, and fall for instructions in it unless the prompt is careful.

    Careful means: the system prompt says that the tags contain data and not instructions, and the tags are not broken. A lead whose notes contain `</lead>`
    breaks out of tags that are not escaped, and what follows reads like the operator's own words.
    """
    system = _text(params.get("system") or "")
    users = [_text(turn["content"]) for turn in params["messages"] if turn["role"] == "user"]
    prompt = users[0]
    reading = Reading(turns=len(users), triggers=frozenset(_TRIGGER.findall(prompt)))
    facts, broken_out = _lead(prompt)
    reading.context = {tag: _json(inner) for tag, inner in _TAGGED.findall(prompt) if tag != "lead" and _json(inner) is not None}
    guarded = facts is not None and _guarded(system)
    if facts is None:
        facts, reading.obeyed = {"notes": prompt}, demands(prompt)
    elif not guarded:
        reading.obeyed = demands(_values(facts) + "\n" + _values(reading.context))
    elif broken_out:
        reading.obeyed = demands(broken_out)
    reading.facts = {
        name: without_instructions(_TRIGGER.sub("", value)) if isinstance(value, str) else value for name, value in facts.items()
    }
    return reading


def _guarded(system: str) -> bool:
    """Whether the system prompt says that the tags hold data, and no instructions."""
    return all(pattern.search(system) for pattern in _GUARDED)


def _contract(params: dict[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """The requested schema, and the tool it belongs to, if any."""
    wanted = ((params.get("output_config") or {}).get("format") or {}).get("schema")
    if isinstance(wanted, dict):
        return wanted, None
    tools = [tool for tool in params.get("tools") or [] if isinstance(tool.get("input_schema"), dict)]
    choice = (params.get("tool_choice") or {}).get("name")
    chosen = next((tool for tool in tools if choice in (None, tool.get("name"))), None)
    return (chosen["input_schema"], str(chosen["name"])) if chosen else (None, None)


def _lead(prompt: str) -> tuple[dict[str, Any] | None, str | None]:
    """The facts between the lead's tags, and what broke out of them; None if there is no lead."""
    opening = re.search(r"<lead>\s*(?=\{)", prompt)
    if opening is None:
        return None, None
    first, last = prompt.find("</lead>", opening.end()), prompt.rfind("</lead>")
    if first < 0:
        return None, None
    facts = _json(prompt[opening.end() : first])
    if isinstance(facts, dict):
        return facts, None
    whole = _json(prompt[opening.end() : last])
    return (whole if isinstance(whole, dict) else {"notes": prompt[opening.end() : first]}), prompt[first:]


def _spoiled(content: dict[str, Any], reading: Reading) -> str | None:
    """Change the answer as the lead's triggers demand; returns the text to send if it is not plain JSON."""
    asked = reading.triggers
    if "bad_once" in asked and reading.turns == 1:
        asked = asked | {"bad_enum"}
    urgency = next((name for name in content if name.startswith("urgency")), None)
    message = next((name for name in content if "message" in name), None)
    if "bad_enum" in asked:
        content[next((name for name in ("loan_type", "icp_fit") if name in content), next(iter(content)))] = "mezzanine"
    if urgency and "urgency_high" in asked:
        content[urgency] = "high"
    if urgency and "urgency_9" in asked:
        content[urgency] = 9
    if message and "placeholder" in asked:
        content[message] = "Hi [Name], thanks for your interest in {{product}}. When could we talk?"
    if message and "long_message" in asked:
        content[message] = ("Thanks for reaching out about your plans. " * 125)[:5000]
    if message and "other_name" in asked:
        content[message] = "Hi Bartholomew, thanks for your interest. Greta Vandermeer of Zephyrine Holdings will call you about it."
    if "evidence" in content and "bad_evidence" in asked:
        content["evidence"] = _forged(content["evidence"])
    if "prose_json" in asked:
        return f"Sure! Here is the classification you asked for:\n\n```json\n{json.dumps(content)}\n```\nLet me know if you need more."
    return None


def _forged(evidence: Any) -> list[Any]:
    quote = "we have a signed purchase agreement for a lighthouse"
    if isinstance(evidence, list) and evidence and isinstance(evidence[0], dict):
        return [{name: quote if name in ("quote", "text") else value for name, value in evidence[0].items()}]
    return [quote]


def _limited(completion: Completion, params: dict[str, Any]) -> Completion:
    """Cut the answer where `max_tokens` ends."""
    room = params["max_tokens"] * 4
    text = completion.content[-1].get("text")
    if text is None or len(text) <= room:
        return completion
    return Completion([*completion.content[:-1], {"type": "text", "text": text[:room]}], "max_tokens")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text") or _text(block.get("content") or "") for block in content if isinstance(block, dict))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _values(value: Any) -> str:
    """All text in a JSON value."""
    if isinstance(value, dict):
        return "\n".join(_values(each) for each in value.values())
    if isinstance(value, list):
        return "\n".join(_values(each) for each in value)
    return value if isinstance(value, str) else ""

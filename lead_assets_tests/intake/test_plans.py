"""A plan made from one payload reads all payloads of its structure as the shape's own reader does."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lead_assets.intake.adapters import shipped_adapters
from lead_assets.intake.groups import grouped
from lead_assets.intake.payloads import Chunk, Reject
from lead_assets.intake.plans import alike, structure
from lead_assets_tests.intake.samples import codes, ndjson, read

SHAPES = Path(__file__).parents[2] / "fixtures" / "shapes"
PAYLOADS: list[dict[str, Any]] = [
    payload
    for file in sorted(SHAPES.glob("*.json"))
    for payload in (lambda read: read if type(read) is list else [read])(json.loads(file.read_text("utf-8")))
    if type(payload) is dict
]
VALUES = st.sampled_from(
    [
        None,
        "",
        "  ",
        "x",
        "Jane",
        "p:+14155550100",
        5,
        1_793_700_000,
        2.5,
        True,
        [],
        {},
        ["a"],
        ["a", "", "b"],
        [None],
        {"value": "v"},
        "email",
    ]
)


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    payload = copy.deepcopy(draw(st.sampled_from(PAYLOADS)))
    for _ in range(draw(st.integers(0, 3))):
        at: Any = payload
        while at:
            key = draw(st.sampled_from(list(at) if type(at) is dict else list(range(len(at)))))
            if type(at[key]) in (dict, list) and at[key] and draw(st.booleans()):
                at = at[key]
                continue
            at[key] = copy.deepcopy(draw(VALUES))
            break
    return payload


@settings(max_examples=300, deadline=None)
@given(changed())
def test_a_plan_reads_what_the_reader_reads(payload: dict[str, Any]) -> None:
    adapters = shipped_adapters()
    candidates = adapters.candidates(tuple(payload), is_table=False)
    planned = adapters.plan(structure(payload, adapters.telling), payload, candidates)
    if planned is None:
        return
    adapter, plan = planned
    assert adapters.choose(payload, candidates) is adapter
    bag = plan.bag(payload)
    assert (bag is None) == adapter.is_test(payload)
    if bag is not None:
        assert list(bag.items()) == list(adapter.bag(payload).items())
        assert plan.rest(payload) == adapter.rest(payload)


@settings(max_examples=100, deadline=None)
@given(st.lists(changed(), min_size=2, max_size=5), st.booleans())
@example([{"name": {"a": "x"}}, {"name": {"a": "y"}}], True)
@example([{"name": [["a"]]}, {"name": [["b"]]}], True)
@example([{"a: 5": [" "]}, {"a: 6": [" "]}, {"a": []}, {"a": ["x"]}, {"a": ""}, {"a": None}, {"a": "x"}, {"a": 1}], False)
def test_texts_that_are_alike_have_one_structure(payloads: list[dict[str, Any]], close: bool) -> None:
    telling = shipped_adapters().telling
    texts = [json.dumps(payload, ensure_ascii=False, separators=(",", ":") if close else (", ", ": ")).encode() for payload in payloads]
    structure_of: dict[int, Any] = {}
    for payload, number in zip(payloads, alike(texts, telling), strict=True):
        if number is not None:
            assert structure_of.setdefault(number, structure(payload, telling)) == structure(payload, telling)


def _other_values(value: Any, telling: frozenset[str], number: int) -> Any:
    """The payload with other values of the same structure."""
    if type(value) is dict:
        return {key: item if key in telling else _other_values(item, telling, number) for key, item in value.items()}
    if type(value) is list:
        return [_other_values(item, telling, number) for item in value]
    return f"v{number}" if type(value) is str and value.strip() else value


@pytest.mark.parametrize("payload", PAYLOADS, ids=[str(number) for number in range(len(PAYLOADS))])
def test_other_values_have_the_same_plan(payload: dict[str, Any]) -> None:
    adapters = shipped_adapters()
    candidates = adapters.candidates(tuple(payload), is_table=False)
    planned = adapters.plan(structure(payload, adapters.telling), payload, candidates)
    for number in range(3):
        other = _other_values(payload, adapters.telling, number)
        assert structure(other, adapters.telling) == structure(payload, adapters.telling)
        texts = [orjson.dumps(payload), orjson.dumps(other)]
        if b"\\" not in texts[0]:
            assert alike(texts, adapters.telling) == [1, 1]
        if planned is not None and (bag := planned[1].bag(other)) is not None:
            assert list(bag.items()) == list(planned[0].bag(other).items())


def test_many_webhooks_of_one_structure_are_planned_and_test_events_among_them_are_not_leads() -> None:
    def webhook(number: int, email: str) -> dict[str, Any]:
        answers = [{"name": "email", "values": [email]}, {"name": "full_name", "values": [f"Ines Berg {number}"]}]
        value = {"leadgen_id": str(number), "form_id": "1", "created_time": 1_793_700_000, "field_data": answers}
        return {"object": "page", "entry": [{"id": "1", "time": 1_793_700_000, "changes": [{"field": "leadgen", "value": value}]}]}

    payloads = [webhook(number, "test@fb.com" if number == 5 else f"p{number}@acme.example") for number in range(20)]
    drop = read(ndjson(*payloads))

    assert codes(drop) == [(6, "test_event", None)]
    assert drop.leads["position"].to_list() == [position for position in range(1, 21) if position != 6]
    assert drop.leads["lead_id"][0] == "meta:0"
    rejects: list[Reject] = []
    chunk = Chunk(list(range(1, 21)), [b""] * 20, payloads)
    (group,) = grouped(chunk, shipped_adapters(), rejects)
    assert len(group.read) == 19
    assert [reject.position for reject in rejects] == [6]

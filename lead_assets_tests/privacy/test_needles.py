"""A text is found in every form that stores keep it in, and masked at its length."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead_assets.privacy.needles import Needle, Needles

EMAIL, NAME = "jane.doe@acme.example", "Zoë Müller-Łoś"
NEEDLES = Needles((Needle("email", EMAIL), Needle("phone", "4155552671", ("1", "001")), Needle("name", NAME)))


@pytest.mark.parametrize(
    "data",
    [
        b"xx Jane.DOE@Acme.Example yy",
        quote(EMAIL).encode(),
        quote_plus(NAME).encode(),
        json.dumps(NAME).encode(),
        NAME.upper().encode(),
        NAME.encode("utf-16-le"),
        EMAIL.encode("utf-32-le"),
        base64.b64encode(b"to: " + EMAIL.encode() + b"\n"),
        base64.urlsafe_b64encode(b"?~" + NAME.encode()),
        gzip.compress(EMAIL.encode(), mtime=0),
        b"a page" + zlib.compress(b"x" * 300 + EMAIL.encode()) + b" and more",
        zlib.compress(gzip.compress(quote(EMAIL, safe="").encode(), mtime=0)),
        b"call +1 (415) or 4155552671",
        b'{"phone":14155552671}',
    ],
    ids=range(14),
)
def test_a_text_is_found_in_every_form(data: bytes) -> None:
    assert NEEDLES.finds(data)
    assert NEEDLES.count(data)


@pytest.mark.parametrize("data", [b"", b"jane.doe@acme.org", b"1700004155552671", b"41555526710", b"x\x9c no stream", EMAIL[::-1].encode()])
def test_what_is_something_else_is_not_found(data: bytes) -> None:
    assert not NEEDLES.finds(data)
    assert NEEDLES.mask(data) == (data, 0)


def test_a_mask_has_the_length_of_what_it_hides() -> None:
    text = f'{{"to":"{EMAIL}","name":"{NAME}"}}'
    masked, count = NEEDLES.mask_text(text)
    assert len(masked.encode()) == len(text.encode())
    assert count == len(EMAIL) + len(NAME.encode())
    assert json.loads(masked)["to"] == "*" * len(EMAIL)


@given(st.binary(max_size=60), st.binary(max_size=60), st.sampled_from(["plain", "gzip", "zlib", "base64"]))
def test_whatever_stands_around_it_it_is_found_and_goes(before: bytes, after: bytes, form: str) -> None:
    inner = before + EMAIL.encode() + after
    data = {"plain": inner, "gzip": gzip.compress(inner), "zlib": zlib.compress(inner), "base64": base64.b64encode(inner)}[form]
    assert NEEDLES.finds(data)
    masked, count = NEEDLES.mask(data)
    assert count
    assert not NEEDLES.finds(masked)


BESIDE = "mary-jane.doe@acme.example.org"


@pytest.mark.parametrize("form", ["plain", "JSON", "URL-encoded", "utf-16", "base64", "gzip"])
def test_what_is_a_part_of_somebody_elses_is_left_alone(form: str) -> None:
    needles = Needles(NEEDLES.needles, frozenset({BESIDE, f"{NAME}-Smith".lower()}))
    text = f"{BESIDE}, {NAME}-Smith"
    data = {
        "plain": text.title().encode(),
        "JSON": json.dumps(text).encode(),
        "URL-encoded": quote(text).encode(),
        "utf-16": text.encode("utf-16-le"),
        "base64": base64.b64encode(text.encode()),
        "gzip": gzip.compress(text.encode(), mtime=0),
    }[form]
    assert NEEDLES.finds(data)
    assert not needles.finds(data)
    assert needles.mask(data) == (data, 0)
    both = f"{text}; {EMAIL}".encode()
    masked, count = needles.mask(both)
    assert count == len(EMAIL)
    assert masked == text.encode() + b"; " + b"*" * len(EMAIL)


@given(st.lists(st.sampled_from([EMAIL, f"mary-{EMAIL}", f"mary-{EMAIL}.org, Ltd", f"{EMAIL}.org", " ", "mary-"]), max_size=12))
def test_only_what_is_within_one_of_others_texts_is_left(pieces: list[str]) -> None:
    beside = (f"mary-{EMAIL}", f"mary-{EMAIL}.org, ltd", f"{EMAIL}.org")
    text = "".join(pieces).lower()
    others = [(at, at + len(each)) for each in beside for at in range(len(text)) if text.startswith(each, at)]
    found = [(at, at + len(EMAIL)) for at in range(len(text)) if text.startswith(EMAIL, at)]
    left = [(start, end) for start, end in found if not any(first <= start and end <= last for first, last in others)]
    places = Needles((Needle("email", EMAIL),), frozenset(beside)).places(text.encode())
    assert [(start, end) for start, end, form in places if form.name == "plain"] == left

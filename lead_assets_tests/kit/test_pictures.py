"""Pictures are SVG in a data URI that can be read on white and on black, and say what they show."""

from __future__ import annotations

import base64
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lead_assets.kit import pictures

SVG = "{http://www.w3.org/2000/svg}"


def drawn(markdown: str) -> ElementTree.Element:
    assert markdown.startswith("![")
    return ElementTree.fromstring(base64.b64decode(markdown.partition("base64,")[2].rstrip(")")))


def texts(markdown: str) -> set[str]:
    return {(element.text or "") for element in drawn(markdown).iter(f"{SVG}text")}


def test_bars_say_each_value_and_sum_up_what_does_not_fit() -> None:
    assert {"Owners", "a", "3", "b", "1,234"} <= texts(pictures.bars("Owners", {"a": 3, "b": 1234}))
    many = pictures.bars("Owners", {f"o{number:02}": 2 for number in range(30)}, unit="$")
    assert {"o19", "10 more", "$20"} <= texts(many)
    assert "o20" not in texts(many)


def test_a_name_with_signs_of_its_own_stays_a_name() -> None:
    assert {"<&>", "$x$", "a" * 33 + "…"} <= texts(pictures.bars("T", {"<&>": 1, "$x$": 2, "a" * 50: 3}))


def test_columns_show_the_limit() -> None:
    found = texts(pictures.columns("Cost by day", {"2026-11-01": 3.0, "2026-11-02": 14.5}, unit="$", limit=10))
    assert {"2026-11-01", "2026-11-02", "limit $10", "$10"} <= found


def test_a_confusion_matrix_has_a_row_for_each_label_that_there_is() -> None:
    confusion = {"a": {"a": 1, "b": 1}, "b": {"a": 0, "b": 3}, "(none)": {"a": 0, "b": 0}}
    found = texts(pictures.matrix("lending.loan_type", confusion))
    assert {"lending.loan_type", "a (2)", "b (3)", "(none)", "said"} <= found
    assert not any(text.startswith("(none) (") for text in found)


def test_curves_name_their_lines() -> None:
    found = texts(
        pictures.curves("ROC", {"model": ([0, 0.5, 1], [0, 0.9, 1]), "rules": ([0, 1], [0, 1])}, x="false", y="true", diagonal=True)
    )
    assert {"ROC", "model", "rules", "false", "true"} <= found


def test_the_same_picture_has_the_same_bytes() -> None:
    assert pictures.bars("T", {"a": 1}) == pictures.bars("T", {"a": 1})


@pytest.mark.parametrize("background", [0.0, 1.0])
def test_text_can_be_read_in_both_themes(background: float) -> None:
    """WCAG 2.2's contrast, at least 3 : 1 for graphics on pure black and white."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    for colour in (pictures.INK, pictures.BLUE, pictures.GREEN, pictures.RED):
        light, dark = sorted([luminance(colour), background], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, colour
    svg = base64.b64decode(pictures.bars("T", {"a": 1}).partition("base64,")[2].rstrip(")")).decode()
    assert "fill: #ffffff" not in svg.lower(), "transparent"


def test_a_waterfall_is_a_picture_that_fits_a_page(tmp_path: Path) -> None:
    pictures.save_waterfall(tmp_path / "pair.png", "Ann Lee and A. Lee", [("e-mail", 9.5), ("name", 4.0), ("phone", -2.0)], line=8.0)
    width, height = struct.unpack(">II", (tmp_path / "pair.png").read_bytes()[16:24])
    assert 600 < width < 1600
    assert 200 < height < 600

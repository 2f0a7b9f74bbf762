"""What changes the code version of a table."""

from __future__ import annotations

from lead_assets.kit.versions import _files


def test_words_and_lists_in_a_package_are_part_of_its_logic() -> None:
    """A country's new spelling in a YAML file makes the leads anew, as a new line of Python does."""
    names = {path.name for path in _files("lead_assets.core")}
    assert {"reading.py", "spellings.yaml", "not_places.txt", "cities.parquet"} <= names

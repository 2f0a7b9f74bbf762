"""Company names without their legal form, and without damage."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lead_assets.identity.company_names import _without_legal_form, clean_companies

LABELLED = Path(__file__).with_name("company_names.csv")
"""Names and what is left of them, 2,501: the "first" labelled before the forms were written, the others when they had been, each before a look."""


@pytest.mark.parametrize("part", ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"])
def test_at_least_97_in_100_labelled_names_come_out_as_labelled(part: str) -> None:
    rows = [row for row in csv.DictReader(LABELLED.open(encoding="utf-8")) if row["part"] == part]
    cleaned = clean_companies(pl.Series([row["name"] for row in rows]))
    wrong = [(row["name"], got) for row, got in zip(rows, cleaned, strict=True) if got != row["clean"]]
    assert len(wrong) <= 0.03 * len(rows), wrong


@pytest.mark.parametrize("name", [
    "PT Barnum Museum", "Vitamin Co-op", "Precision Ag", "Day Spa", "RELAX SPA", "relax spa", "Vodafone UK", "Team NL", "SAS Institute", "AB InBev",
    "SE Ranking", "CA Technologies", "UAB Medicine", "Coop Italia", "American Heart Association", "Park Slope Food Coop", "CV Library",
])  # fmt: skip
def test_a_word_that_is_a_form_elsewhere_stays(name: str) -> None:
    assert clean_companies(pl.Series([name])).to_list() == [name]


NAMES = {
    "ACME, Inc.": "ACME",
    "acme GmbH & Co. KG": "acme",
    "Foo S.A. de C.V.": "Foo",
    "株式会社リクルート": "リクルート",
    "トヨタ自動車株式会社": "トヨタ自動車",
    "삼성전자 주식회사": "삼성전자",
    "(주)한빛바이오": "한빛바이오",
    "華為技術有限公司": "華為技術",
    "ООО Ромашка": "Ромашка",
    'ООО "Ромашка"': "Ромашка",
    "PT Astra International Tbk": "Astra International",
    "PT Nusa Data": "Nusa Data",
    "Müller & Söhne GmbH": "Müller & Söhne",
    "Acme  Holdings   LLC": "Acme Holdings",
    "Petrobras S/A": "Petrobras",
    "Acme UG (haftungsbeschränkt)": "Acme",
    "Foo Pvt. Ltd.": "Foo",
    "Veld Mining (Pty) Ltd": "Veld Mining",
    "KESTREL DYNAMICS (UK) Ltd": "KESTREL DYNAMICS (UK)",
    "Kirchberg Funds S.à r.l.": "Kirchberg Funds",
    "Boğaz Moda A.Ş.": "Boğaz Moda",
    "Cap Nord Ltée": "Cap Nord",
    "DONAUWERK GESMBH": "DONAUWERK",
    "Palmgate FZ-LLC": "Palmgate",
    "Foo Sp. z o.o.": "Foo",
    "Officine Turrisi S.p.A.": "Officine Turrisi",
    "Thornbury & Co.": "Thornbury",
    "Bayou Marine, L.L.C.": "Bayou Marine",
    "Relax Spa": "Relax Spa",
    "Inc Magazine": "Inc Magazine",
    "The Company": "The Company",
    "Limited": "Limited",
    "H&M": "H&M",
    "3M": "3M",
    "Yahoo!": "Yahoo",
    "  Kraft   Heinz ": "Kraft Heinz",
    "n/a": None,
    "self-employed": None,
    "-": None,
    "": None,
}


def test_a_name_without_its_legal_form() -> None:
    assert dict(zip(NAMES, clean_companies(pl.Series(list(NAMES))), strict=True)) == NAMES


def test_absent_values_and_no_rows() -> None:
    assert clean_companies(pl.Series([None], dtype=pl.String)).to_list() == [None]
    assert clean_companies(pl.Series([], dtype=pl.String)).dtype == pl.String


WORDS = st.sampled_from([
    "Acme", "Bolt", "&", "Co", "Co.", "Inc.", "Inc,", "LLC", "L.L.C.", "GmbH", "KG", "S.A.", "de", "C.V.", "Limited", "Company", "Group",
    "Spa", "Ltd", "Ltd.", "(UK)", "-", ",", "AG", "A/S", "Sons", "PT", "Tbk", "B.V.", "Ümlaut", "x1", "_", "!", "Data",
])  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.one_of(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), st.text("aB .,-&_()!\u00a0é", max_size=10)),
        min_size=15,
        max_size=30,
    )
)
@example(["Acme .", "Acme -", ". Acme", "Acme\u00a0Inc", "a,b"])
def test_the_frame_agrees_with_the_function_of_one_name(names: list[str]) -> None:
    stripped = [name.strip() for name in names]
    assert clean_companies(pl.Series(names)).to_list() == [None if _is_filler(name) else _without_legal_form(name) for name in stripped]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), min_size=15, max_size=30))
def test_cleaning_again_changes_nothing(names: list[str]) -> None:
    once = clean_companies(pl.Series(names))
    assert clean_companies(once).equals(once)


def _is_filler(name: str) -> bool:
    return not name.strip("-") or not name.strip(".")

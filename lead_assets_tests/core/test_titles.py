"""Job titles: seniority and department, in several languages."""

from __future__ import annotations

import csv
import typing
from pathlib import Path

import polars as pl
import pytest

from lead_assets.contracts import Lead
from lead_assets.core.columns import fold
from lead_assets.core.titles import declared_words, title_roles

LABELLED = Path(__file__).with_name("titles.csv")
"""Titles in nine languages: the "first" 389 the words were written by, the "second", "third" and "fourth" 283 unseen until they had been."""

TITLES: dict[str, tuple[str | None, str | None]] = {
    "CEO": ("c_suite", "executive"),
    "C.E.O.": ("c_suite", "executive"),
    "Founder & CEO": ("founder", "executive"),
    "CTO / Co-Founder": ("founder", "engineering"),
    "Owner": ("founder", "executive"),
    "Product Owner": (None, "product"),
    "Senior Product Owner": ("senior", "product"),
    "Process Owner": (None, None),
    "Chief Revenue Officer": ("c_suite", "sales"),
    "CRO": ("c_suite", "sales"),
    "CMO": ("c_suite", "marketing"),
    "Chief Operating Officer": ("c_suite", "operations"),
    "Chief Financial Officer": ("c_suite", "finance"),
    "Chief Information Security Officer": ("c_suite", "it"),
    "Chief People Officer": ("c_suite", "hr"),
    "Chief of Staff": ("head", "executive"),
    "President": ("c_suite", "executive"),
    "Vice President": ("vp", "executive"),
    "Vice President, Finance": ("vp", "finance"),
    "VP of Sales": ("vp", "sales"),
    "SVP Marketing": ("vp", "marketing"),
    "VP R&D": ("vp", "engineering"),
    "Assistant Vice President": ("vp", "executive"),
    "Managing Director": ("c_suite", "executive"),
    "Head of Marketing": ("head", "marketing"),
    "Head of People": ("head", "hr"),
    "Director of Operations": ("director", "operations"),
    "Associate Director": ("director", None),
    "IT Manager": ("manager", "it"),
    "Product Marketing Manager": ("manager", "marketing"),
    "Customer Success Manager": ("manager", "support"),
    "Senior Manager, Data": ("manager", "data"),
    "Team Lead, Data Science": ("manager", "data"),
    "Sr. Software Engineer": ("senior", "engineering"),
    "Senior Sales Engineer": ("senior", "sales"),
    "Principal Product Designer": ("senior", "product"),
    "Junior Accountant": ("entry", "finance"),
    "Intern, Business Development": ("entry", "sales"),
    "Executive Assistant to the CEO": ("entry", "executive"),
    "Marketing Coordinator": ("entry", "marketing"),
    "General Counsel": ("head", "legal"),
    "HR Business Partner": (None, "hr"),
    "Software Engineer": (None, "engineering"),
    "Real Estate Investor": (None, None),
    "Geschäftsführer": ("c_suite", "executive"),
    "Geschaeftsfuehrerin": ("c_suite", "executive"),
    "Geschäftsführender Gesellschafter": ("c_suite", "executive"),
    "Leiter Einkauf": ("head", "operations"),
    "Vertriebsleiter": ("head", "sales"),
    "Bereichsleiter IT": ("head", "it"),
    "Inhaber": ("founder", "executive"),
    "Werkstudent Marketing": ("entry", "marketing"),
    "Leiterin Finanzen und Controlling": ("head", "finance"),
    "Directeur Commercial": ("director", "sales"),
    "Directrice financière": ("director", "finance"),
    "Directeur général": ("c_suite", "executive"),
    "Responsable des achats": ("manager", "operations"),
    "Vice-présidente, Ventes": ("vp", "sales"),
    "PDG": ("c_suite", "executive"),
    "Gerente General": ("c_suite", "executive"),
    "Gerente de Compras": ("manager", "operations"),
    "Director de Operaciones": ("director", "operations"),
    "Jefa de Finanzas": ("manager", "finance"),
    "Diretor Comercial": ("director", "sales"),
    "Amministratore delegato": ("c_suite", "executive"),
    "Responsabile acquisti": ("manager", "operations"),
    "Hoofd Inkoop": ("head", "operations"),
    "Försäljningschef": ("manager", "sales"),
    "Toimitusjohtaja": ("c_suite", "executive"),
    "Kierownik marketingu": ("manager", "marketing"),
    "Pazarlama Müdürü": ("director", "marketing"),
    "Obchodní ředitel": ("director", "sales"),
    "Генеральный директор": ("c_suite", "executive"),
    "営業部長": ("head", "sales"),
    "代表取締役社長": ("c_suite", "executive"),
    "经理": ("manager", None),
    "采购经理": ("manager", "operations"),
    "대표이사": ("c_suite", "executive"),
    "": (None, None),
    "Sr.Project Manager": ("manager", "operations"),
    "Alleinvorstand": ("c_suite", "executive"),
    "Member of the Advisory Board": ("c_suite", "executive"),
    "Procurement Engineer": (None, "operations"),
    "Engineer for Auxiliary Drives": (None, "engineering"),
    "Auxiliar administrativo": ("entry", "operations"),
    "Arbeitsplaner": (None, "operations"),
    "Expansionsmanager": ("manager", "sales"),
    "Development Leader": ("senior", None),
    "Consultant": (None, None),
    "SAP Consultant": (None, "it"),
    "Unternehmensinhaber": ("founder", "executive"),
    "New Business Director": ("director", "sales"),
    "Scheduler": (None, "operations"),
    "Tax Consultant": (None, "finance"),
}


def test_the_roles_a_title_names() -> None:
    assert dict(zip(TITLES, title_roles(pl.Series(list(TITLES))).rows(), strict=True)) == TITLES


def test_rows_keep_their_order() -> None:
    titles = pl.Series(["CEO", None, "VP of Sales", "CEO"])
    assert title_roles(titles).rows() == [("c_suite", "executive"), (None, None), ("vp", "sales"), ("c_suite", "executive")]


def test_no_rows_give_typed_columns() -> None:
    assert title_roles(pl.Series([], dtype=pl.String)).schema == {"seniority": pl.String, "department": pl.String}


@pytest.mark.parametrize("column", ["seniority", "department"])
def test_the_declared_answers_are_the_contracts(column: str) -> None:
    annotation = typing.get_type_hints(Lead)[column]
    assert {answer for answer, _ in declared_words()[column]} == set(typing.get_args(typing.get_args(annotation)[0]))


@pytest.mark.parametrize("column", ["seniority", "department"])
def test_each_declared_word_gives_its_own_row_unless_an_earlier_row_has_it(column: str) -> None:
    rows = declared_words()[column]
    answers = [answer for answer, _ in rows]
    for place, (answer, words) in enumerate(rows):
        found = title_roles(pl.Series([word.replace("*", "") for word in words]))[column]
        late = [word for word, got in zip(words, found, strict=True) if got != answer and got not in answers[:place]]
        assert late == []


@pytest.mark.parametrize("part", ["first", "second", "third", "fourth"])
@pytest.mark.parametrize(("column", "at_least"), [("seniority", 0.95), ("department", 0.93)])
def test_labelled_titles_are_read_as_labelled(part: str, column: str, at_least: float) -> None:
    rows = [row for row in csv.DictReader(LABELLED.open(encoding="utf-8")) if row["part"] == part]
    read = title_roles(pl.Series([row["title"] for row in rows]))[column]
    for language in (*sorted({row["language"] for row in rows} if part == "first" else ()), None):
        asked = [
            (row["title"], row[column] or None, got) for row, got in zip(rows, read, strict=True) if language in (None, row["language"])
        ]
        wrong = [each for each in asked if each[1] != each[2]]
        assert len(wrong) <= (1 - at_least) * len(asked), (language, wrong)


SEVERAL = {
    "CEO / Founder, Head of Sales": ("founder", "executive"),
    "CEO, Head of Sales": ("c_suite", "executive"),
    "Managing Director | Head of Marketing EMEA": ("c_suite", "executive"),
    "Managing Director, Sales": ("c_suite", "sales"),
    "Geschäftsführer Vertrieb": ("c_suite", "sales"),
    "Founder, Head of Sales": ("founder", "sales"),
    "CTO / Co-Founder": ("founder", "engineering"),
    "Prokurist, Leiter Finanzen": ("head", "finance"),
    "Vice President, Finance": ("vp", "finance"),
    "Administrador de sistemas": (None, "it"),
}


def test_several_titles_in_one_cell() -> None:
    assert dict(zip(SEVERAL, title_roles(pl.Series(list(SEVERAL))).rows(), strict=True)) == SEVERAL


def test_folding_twice_changes_nothing() -> None:
    texts = pl.Series([*TITLES, "U.S.A.", "Größe", "Côte d'Ivoire", "हिन्दी", "İstanbul", "ǅ", "ﬁ"])
    assert fold(fold(texts)).equals(fold(texts))

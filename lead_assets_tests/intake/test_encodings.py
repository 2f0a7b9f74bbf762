"""Tables as spreadsheets and CRMs of many countries write them: the encoding is found, or the text is rejected, never silently misread."""

from __future__ import annotations

import json

import pytest

from lead_assets_tests.intake.samples import codes, read

TABLES = {
    "de": ("Vorname;Nachname;Firma;Email", "Jürgen;Müller;Möbel Höffner GmbH;juergen@moebel.example", ["cp1252", "iso8859-1", "iso8859-15", "mac_roman"]),
    "de, one word": ("Name;Firma;Email", "Jo Park;Müller AG;jo@mueller.example", ["cp1252"]),
    "fr": ("Prénom;Nom;Société;Email", "Hélène;Lefèvre;Crédit Général;helene@credit.example", ["cp1252", "iso8859-1"]),
    "fr, typographic": ("Société;Email;Budget", "L’Oréal;achat@oreal.example;12 000 €", ["cp1252"]),
    "es": ("Nombre;Apellidos;Compañía;Email", "José;Núñez Ibáñez;Señalización Ibérica;jose@senal.example", ["cp1252", "iso8859-1"]),
    "pt": ("Nome;Empresa;Email", "João Gonçalves;Construções Irmãos;joao@irmaos.example", ["cp1252"]),
    "no": ("Navn;Firma;Email", "Øystein Sæther;Bjørg Bråten AS;oystein@braten.example", ["cp1252"]),
    "pl": ("Imię;Nazwisko;Firma;Email", "Łukasz;Wójcik;Spółka Żółw z Łodzi;lukasz@zolw.example", ["cp1250", "iso8859-2"]),
    "cs": ("Jméno;Příjmení;Společnost;Email", "Jiří;Dvořák;Železárny Třinec;jiri@trinec.example", ["cp1250", "iso8859-2"]),
    "tr": ("Ad;Soyad;Şirket;Email", "İbrahim;Yılmaz;Doğuş İnşaat;ibrahim@dogus.example", ["cp1254"]),
    "ru": ("Имя;Фамилия;Компания;Email", "Иван;Петров;Газпром нефть;ivan@neft.example", ["cp1251", "koi8-r"]),
    "el": ("Όνομα;Επώνυμο;Εταιρεία;Email", "Γιώργος;Παπαδόπουλος;Ελληνικά Πετρέλαια;g@petrelaia.example", ["cp1253"]),
    "ja": ("氏名,会社名,役職,Email", "山田太郎,株式会社サンプル,営業部長,taro@sample.example", ["shift_jis", "cp932", "euc_jp"]),
    "zh": ("姓名,公司,职位,Email", "王伟,北京科技有限公司,采购经理,wang@bj.example", ["gb18030"]),
    "zh, Taiwan": ("姓名,公司,職稱,Email", "王小明,台灣積體電路製造股份有限公司,採購經理,wang@tw.example", ["big5"]),
    "ko": ("이름,회사,직책,Email", "김철수,삼성전자,구매 담당,kim@samsung.example", ["cp949"]),
}  # fmt: skip
ALWAYS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]
CASES = [(name, encoding) for name, (_, _, own) in TABLES.items() for encoding in ALWAYS + own]


@pytest.mark.parametrize(("name", "encoding"), CASES, ids=[" as ".join(case) for case in CASES])
def test_a_table_is_read_in_the_encoding_it_was_written_in(name: str, encoding: str) -> None:
    header, row, _ = TABLES[name]
    drop = read(f"{header}\r\n{row}\r\n".encode(encoding))
    delimiter = ";" if ";" in header else ","

    assert codes(drop) == []
    assert [json.loads(text) for text in drop.leads["payload"]] == [dict(zip(header.split(delimiter), row.split(delimiter), strict=True))]


def test_what_no_encoding_clearly_fits_is_rejected_row_by_row_and_said() -> None:
    """Few Hebrew letters are Cyrillic and Greek ones just as well."""
    table = "email,name\na@b.example,Dana\nc@d.example,דוד\n".encode("cp1255")
    drop = read(table)

    assert codes(drop) == [(3, "wrong_encoding", None)]
    assert drop.leads["email"].to_list() == ["a@b.example"]


@pytest.mark.parametrize("name", ["René", "Müller", "Señor", "Łukasz", "Sørensen", "Škoda"])
def test_one_letter_at_the_very_end_of_a_file_is_read(name: str) -> None:
    encoding = "cp1250" if name in ("Łukasz", "Škoda") else "cp1252"
    for table in (f"email,name\na@b.example,{name}", f"name,email\n{name},a@b.example\n"):
        assert read(table.encode(encoding)).leads["full_name"].to_list() == [name]


def test_one_broken_row_does_not_make_a_utf_8_file_another_encoding() -> None:
    rows = ["email,company", *(f"p{number}@acme.example,Größe {number}" for number in range(20))]
    drop = read("\n".join(rows).encode() + b"\nz@acme.example,M\xfcller\n")

    assert codes(drop) == [(22, "wrong_encoding", None)]
    assert drop.leads["company"][0] == "Größe 0"


def test_the_guess_is_made_at_the_first_letter_that_needs_one_however_late() -> None:
    plain = "".join(f"p{number}@acme.example,Acme {number}\n" for number in range(200_000))
    drop = read(("email,company\n" + plain + "z@acme.example,Société Générale\n").encode("cp1252"))

    assert (codes(drop), drop.leads.height) == ([], 200_001)
    assert drop.leads["company"][-1] == "Société Générale"


def test_a_letter_is_never_cut_in_two_between_blocks() -> None:
    rows = "".join(f"p{number}@acme.example,会社名サンプル株式会社{'x' * (number % 7)}\n" for number in range(120_000))
    for encoding in ("cp932", "utf-16", "utf-8"):
        drop = read(("email,company\n" + rows).encode(encoding))
        assert (codes(drop), drop.leads.height) == ([], 120_000), encoding
        assert drop.leads["company"].str.strip_chars_end("x").unique().to_list() == ["会社名サンプル株式会社"]

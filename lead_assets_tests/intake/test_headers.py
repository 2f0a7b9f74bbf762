"""One table of wordings for the headers of tables, the keys of JSON and the questions of forms, in the languages that people write them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from lead_assets.contracts import RawLead
from lead_assets.core.document import RulesError, read_document
from lead_assets.core.settings import Settings
from lead_assets.intake.adapters import adapters_of
from lead_assets.intake.drops import read_drops
from lead_assets.intake.headers import FIELDS, HEADERS, fold_header, shipped_headers
from lead_assets_tests.intake.samples import lead, ndjson, read

ROW = (
    "Anna",
    "Berg",
    "anna@berg.example",
    "+47 22 33 44 55",
    "Berg AS",
    "CFO",
    "Norge",
    "Oslo",
    "51-200",
    "https://berg.example",
    "Ring meg",
)
FILLED = ("first_name", "last_name", "email", "phone", "company", "title", "country", "city", "company_size", "website", "notes")
TABLES = {
    "English": "First Name|Last Name|Email Address|Phone Number|Company Name|Job Title|Country/Region|City|Number of Employees|Website URL|Message",
    "German": "Vorname|Nachname|E-Mail-Adresse|Telefonnummer|Firma|Position|Land|Ort|Anzahl Mitarbeiter|Webseite|Ihre Nachricht",
    "German, with Name": "Vorname|Name|E-Mail|Telefon|Unternehmen|Funktion|Land|Stadt|Unternehmensgröße|Website|Bemerkungen",
    "French": "Prénom|Nom|Courriel|Téléphone|Société|Fonction|Pays|Ville|Nombre de salariés|Site web|Commentaires",
    "French, of a CRM": "Prénom|Nom de famille|Adresse e-mail|Portable|Raison sociale|Intitulé de poste|Pays/région|Ville|Effectif|Site web|Remarques",
    "Spanish": "Nombre|Apellidos|Correo electrónico|Teléfono|Empresa|Cargo|País|Ciudad|Número de empleados|Sitio web|Mensaje",
    "Portuguese": "Nome|Sobrenome|E-mail|Telefone|Empresa|Cargo|País|Cidade|Número de funcionários|Site da empresa|Mensagem",
    "Italian": "Nome|Cognome|Indirizzo e-mail|Telefono|Azienda|Ruolo|Paese|Città|Numero di dipendenti|Sito web|Messaggio",
    "Dutch": "Voornaam|Achternaam|E-mailadres|Telefoonnummer|Bedrijfsnaam|Functie|Land|Plaats|Aantal medewerkers|Website|Opmerkingen",
    "Polish": "Imię|Nazwisko|Adres e-mail|Numer telefonu|Nazwa firmy|Stanowisko|Kraj|Miasto|Liczba pracowników|Strona internetowa|Wiadomość",
    "Swedish": "Förnamn|Efternamn|E-postadress|Telefonnummer|Företag|Befattning|Land|Stad|Antal anställda|Webbplats|Meddelande",
    "Danish": "Fornavn|Efternavn|E-mail|Telefonnummer|Virksomhed|Stilling|Land|By (bynavn)|Antal ansatte|Hjemmeside|Besked",
    "Norwegian": "Fornavn|Etternavn|E-postadresse|Telefonnummer|Bedrift|Stillingstittel|Land|Poststed|Antall ansatte|Nettside|Melding",
    "Finnish": "Etunimi|Sukunimi|Sähköposti|Puhelinnumero|Yritys|Tehtävänimike|Maa|Kaupunki|Henkilöstömäärä|Verkkosivu|Viesti",
    "Czech": "Jméno|Příjmení|E-mail|Telefon|Společnost|Pozice|Země|Město|Počet zaměstnanců|Webové stránky|Zpráva",
    "Turkish": "Adı|Soyadı|E-posta|Telefon|Şirket|Ünvan|Ülke|Şehir|Çalışan sayısı|Web sitesi|Mesaj",
    "Russian": "Имя|Фамилия|Электронная почта|Телефон|Компания|Должность|Страна|Город|Количество сотрудников|Сайт|Сообщение",
    "Japanese": "名|姓|メールアドレス|電話番号|会社名|役職|国|市区町村|従業員数|ホームページ|お問い合わせ内容",
    "Chinese": "名字|姓氏|电子邮箱|手机号码|公司名称|职位|国家|城市|员工人数|网站|留言",
    "Korean": "명|성|이메일|전화번호|회사명|직책|국가|도시|직원 수|웹사이트|문의 내용",
}


@pytest.mark.parametrize("language", TABLES)
@pytest.mark.parametrize("form", ["table", "keys"])
def test_a_lead_is_read_in_the_language_of_its_headers(language: str, form: str) -> None:
    headers = TABLES[language].split("|")
    if form == "table":
        out = io.StringIO()
        csv.writer(out, delimiter=";").writerows([headers, ROW])
        (row,) = read(out.getvalue().encode()).leads.to_dicts()
    else:
        row = lead(dict(zip(headers, ROW, strict=True)))
    assert {column: row[column] for column in FILLED} == dict(zip(FILLED, ROW, strict=True))
    assert row["extra"] == "{}"


@pytest.mark.parametrize(
    ("keys", "column"),
    [
        (["Email", "EMAIL", "eMail", "e-mail", "E_MAIL", "email_address", "emailAddress", "EmailAddress", "Email Address*", "Your e-mail (required)"], "email"),
        (["Company", "companyName", "COMPANY_NAME", "company-name", "What is your company's name?", "Name of company"], "company"),
        (["firstName", "FirstName", "first_name", "FIRST NAME", "first-name", "fname"], "first_name"),
        (["countryCode", "country_code", "Country Code", "Country/Region"], "country"),
        (["jobTitle", "Job title:", "job_title", "JOBTITLE"], "title"),
        (["companySize", "# Employees", "No. of employees", "How many employees does your company have?"], "company_size"),
        (["linkedinUrl", "LinkedInURL", "LinkedIn Profile", "Person Linkedin Url"], "linkedin_url"),
        (["phone 1", "Phone1", "Direct Phone", "Work Direct Phone", "contactPhone", "MobilePhone"], "phone"),
    ],
)  # fmt: skip
def test_case_camel_separators_accents_and_fillers_do_not_count(keys: list[str], column: str) -> None:
    for key in keys:
        value = "a@acme.example" if column == "email" else "x"
        assert (
            lead(
                {"linkedin": "https://www.linkedin.com/in/made-up", key: value}
                if column != "linkedin_url"
                else {"email": "a@b.example", key: "x"}
            )[column]
            == value
        ), key


@pytest.mark.parametrize(
    "key",
    ["Lead Owner", "Contact owner", "Shoe size", "Company Linkedin Url", "Email Status", "Email opt-in", "Phone type", "IP", "Birthday", "Team", "Country club",
     "campaign_name", "form_id", "user_agent", "website_visits", "Title of the webinar", "Company founded", "emails_sent", "price", "url"],
)  # fmt: skip
def test_what_only_looks_like_a_field_is_none(key: str) -> None:
    row = lead({"email": "a@acme.example", key: "x"})
    assert json.loads(row["extra"]) == {key: "x"}


def test_of_several_addresses_the_company_s_comes_before_a_free_one_and_the_others_are_kept() -> None:
    people: list[dict[str, Any]] = [
        {"Email 1": "x@gmail.com", "Email 2": "x@acme.example", "Personal email": ""},
        {"Email 1": "y@gmail.com", "Email 2": "y@mailinator.com", "Personal email": None},
        {"Email 1": "z@mailinator.com", "Email 2": "", "Personal email": "z@gmail.com"},
        {"Email 1": "q@acme.example", "Email 2": "q@other.example", "Personal email": "q@gmail.com"},
    ]
    rows = read(ndjson(*people)).leads
    assert rows["email"].to_list() == ["x@acme.example", "y@gmail.com", "z@gmail.com", "q@acme.example"]
    assert [json.loads(text) for text in rows["payload"]] == people


def test_of_several_phones_the_direct_one_comes_first_and_the_next_fills_a_blank() -> None:
    people = [
        {"email": f"p{number}@acme.example", "Mobile": "+1 2", "Direct Phone": direct} for number, direct in enumerate(("+1 1", "", None))
    ]
    assert read(ndjson(*people)).leads["phone"].to_list() == ["+1 1", "+1 2", "+1 2"]


def test_a_header_table_of_ones_own_takes_the_place_of_the_shipped_one(tmp_path: Any) -> None:
    (tmp_path / "headers.yaml").write_text("fields: {email: {tlh: [QIn]}, phone: {en: [blower]}}\n")
    data = ndjson({"qin": "worf@kronos.example", "Blower": "+1 415 555 0100", "Courriel": "x"})
    row = read_drops([(data, {})], adapters=adapters_of(Settings(rules_dir=tmp_path))).leads.row(0, named=True)
    assert (row["email"], row["phone"], json.loads(row["extra"])) == ("worf@kronos.example", "+1 415 555 0100", {"Courriel": "x"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fields: {emial: {en: [mail]}}", "unknown field 'emial' (did you mean 'email'?)"),
        ("fields: {email: {en: [contact]}, phone: {en: [Contact]}}", "'Contact' also stands for 'email'"),
        ("fields: {email: {en: ['?']}}", "a wording without a letter or digit"),
        ("fields: {payload: {en: [all]}}", "unknown field 'payload'"),
    ],
)
def test_a_mistake_in_the_table_is_told(text: str, said: str) -> None:
    with pytest.raises(RulesError, match=r"headers\.yaml line 1") as told:
        HEADERS.parse(read_document(text, "headers.yaml"))
    assert said in str(told.value)


def test_every_column_that_a_sender_can_fill_has_wordings_and_no_other() -> None:
    assert set(shipped_headers().fields) == set(FIELDS)
    assert set(FIELDS) < set(RawLead.model_fields)
    assert {"unread_fields", "implied_profile", "part", "payload", "campaign_id"}.isdisjoint(FIELDS)


def test_at_least_twelve_languages_word_the_usual_fields() -> None:
    fields = shipped_headers().fields
    for name in ("email", "phone", "full_name", "first_name", "last_name", "company", "title", "country", "city", "company_size", "notes"):
        assert len(fields[name]) >= 12, name


def test_folding_is_the_same_once_more() -> None:
    for wording in shipped_headers().wordings:
        assert fold_header(wording) == wording


def test_a_name_that_looks_like_a_formula_is_a_name() -> None:
    drop = read(b'{"email": "ada@acme.example", "=HYPERLINK(1)": "x", "=map y": "z"}')
    assert json.loads(drop.leads["extra"][0]) == {"=HYPERLINK(1)": "x", "=map y": "z"}


def test_labelled_wordings_of_thirty_languages_are_known() -> None:
    """537 headers, written before they were looked up: 68 % were known then."""
    rows = list(csv.DictReader((Path(__file__).parent / "labels" / "headers.csv").open(encoding="utf-8", newline="")))
    known = shipped_headers()
    wrong = [row for row in rows if (said := known.meaning(row["header"])) is None or said.field != row["field"]]
    assert len(wrong) <= 0.02 * len(rows), wrong

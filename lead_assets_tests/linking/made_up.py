"""Made-up people under several records each, with the errors that records of people have. Not a test."""

from __future__ import annotations

import random
from datetime import date, timedelta

import polars as pl


def _words(text: str) -> list[str]:
    return text.split()


_GIVEN = _words(
    "john william james george thomas charles henry robert joseph edward mary elizabeth anna margaret alice florence ellen emma sarah edith "
    "frederick arthur alfred walter albert samuel richard david frank peter hugh philip edmund oliver ernest harold louisa jane catherine "
    "martha hannah charlotte isabella agnes harriet lucy rose frances clara julia theodore rupert ambrose cornelius lavinia beatrix"
)
_SHORT = {
    "william": "bill",
    "robert": "bob",
    "elizabeth": "bess",
    "margaret": "peggy",
    "richard": "dick",
    "edward": "ned",
    "thomas": "tom",
    "james": "jim",
    "john": "jack",
    "henry": "harry",
    "catherine": "kate",
    "frederick": "fred",
    "charles": "charlie",
    "mary": "polly",
}
_STARTS = _words(
    "ash black brook carl dun east fair glen hart holm king lang marsh nor oak pem quin red stan thorn under wal west whit wins"
)
_ENDS = _words(
    "bourne brook bury by cliffe combe dale den field ford gate ham hurst land ley low man mere more ridge shaw stead ton well wick wood worth"
)
_WORK = _words("writer politician painter physician clergyman cricketer engineer actor botanist lawyer soldier architect composer banker")
_MAILBOXES = ("gmail.com", "yahoo.com", "outlook.com", "hotmail.com")
_KEYS = "qwertyuiopasdfghjklzxcvbnm"


def people(count: int, records: int, *, seed: int = 1, errors: float = 1.0) -> pl.DataFrame:
    """`records` records of `count` people, mixed: id, person, first_name, surname, dob (YYYY-MM-DD), birth_place, postcode, occupation, gender.

    `errors` = 1 is as bad as records of historical persons: every second value of a copy is off, short, moved or missing.
    """
    chance = random.Random(seed)
    surnames = [start + end for start in _STARTS for end in _ENDS]
    chance.shuffle(surnames)
    places = [start + end for start in _STARTS for end in _ENDS[::-1]]
    chance.shuffle(places)
    known = [_person(chance, surnames, places) for _ in range(count)]
    who = [*range(count), *(min(int(chance.random() * count), count - 1) for _ in range(records - count))]
    chance.shuffle(who)
    rows = [{"id": f"r{at}", "person": person, **_copy(chance, known[person], errors, surnames, places)} for at, person in enumerate(who)]
    return pl.DataFrame(rows, infer_schema_length=None)


def leads(records: int, *, people: int, seed: int = 5) -> pl.DataFrame:
    """`records` leads of `people` people, mixed: id, person, first_name, last_name, email, company, phone, postcode. A copy has typing slips, initials, a
    second mailbox, or lacks values; namesakes are common."""
    chance = random.Random(seed)
    given = _GIVEN + [a + b for a in _words("mar jo an el ka le ro sa ta vi") for b in _words("na ra lin son ette bert mund rick lia sa")]
    plain = [a + b for a in _STARTS + _words("berg stein roth gold silver wein neu alt") for b in _ENDS + _words("mann er ski ova sen son")]
    surnames = plain + [name + "s" for name in plain] + [a + name for a in _words("mc o van de") for name in plain]
    kinds = _words("systems labs partners logistics media health foods capital energy software group consulting")
    companies = [f"{a}{b} {kind}" for a in _STARTS for b in _ENDS for kind in kinds]
    known = [_lead(chance, given, surnames, companies) for _ in range(people)]
    who = [*range(people), *(int(people * chance.random()) for _ in range(records - people))]
    chance.shuffle(who)
    columns = ["id", "person", "first_name", "last_name", "email", "company", "phone", "postcode"]
    rows = [(f"l{at}", person, *_lead_copy(chance, *known[person])) for at, person in enumerate(who)]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _lead(chance: random.Random, given: list[str], surnames: list[str], companies: list[str]) -> tuple[str, str, str, str, str, str]:
    first, last, company = _zipf(chance, given), _zipf(chance, surnames), _zipf(chance, companies)
    own = f"{first}.{last}@{company.replace(' ', '')}.com"
    email = own if chance.random() < 0.7 else f"{first}{last}{chance.randrange(100)}@{chance.choice(_MAILBOXES)}"
    return first, last, email, company, f"+1{chance.randrange(2010000000, 9890000000)}", f"{chance.randrange(10000, 99999)}"


def _lead_copy(
    chance: random.Random, first: str, last: str, email: str, company: str, phone: str, postcode: str
) -> tuple[str, str, str, str | None, str | None, str | None]:
    if chance.random() < 0.1:
        first = _typed(chance, first)
    elif chance.random() < 0.05:
        first = first[0]
    if chance.random() < 0.08:
        last = _typed(chance, last)
    if chance.random() < 0.25:
        email = f"{first[0]}{last}{chance.randrange(1000)}@{chance.choice(_MAILBOXES)}"
    elif chance.random() < 0.03:
        email = _typed(chance, email)
    if chance.random() < 0.05:
        phone = f"+1{chance.randrange(2010000000, 9890000000)}"
    return (
        *(first, last, email),
        None if chance.random() < 0.3 else company,
        None if chance.random() < 0.35 else phone,
        None if chance.random() < 0.3 else postcode,
    )


def pairwise_f1(pairs: pl.DataFrame, person: dict[str, int]) -> float:
    """Of the pairs id_l, id_r, against all pairs of records of one person."""
    known = pl.DataFrame({"id": list(person), "person": list(person.values())})
    sizes = known["person"].value_counts()["count"].cast(pl.Int64)
    true = int((sizes * (sizes - 1) // 2).sum())
    both = pairs.select("id_l", "id_r").join(known, left_on="id_l", right_on="id").join(known, left_on="id_r", right_on="id", suffix="_r")
    return 2 * both.filter(pl.col("person") == pl.col("person_r")).height / (true + pairs.height)


def _zipf(chance: random.Random, values: list[str]) -> str:
    return values[min(int(len(values) * chance.random() ** 2.2), len(values) - 1)]


def _person(chance: random.Random, surnames: list[str], places: list[str]) -> dict[str, str]:
    born = date(1780, 1, 1) + timedelta(days=chance.randrange(55_000))
    return {
        "first_name": _zipf(chance, _GIVEN),
        "surname": _zipf(chance, surnames),
        "dob": born.isoformat(),
        "birth_place": _zipf(chance, places),
        "postcode": _postcode(chance),
        "occupation": _zipf(chance, _WORK),
        "gender": chance.choice("mf"),
    }


def _postcode(chance: random.Random) -> str:
    area = chance.choice("abcdeghlmnprstw") + chance.choice("abdehlnrst")
    return f"{area}{chance.randrange(1, 30)} {chance.randrange(1, 10)}{chance.choice('abdefg')}{chance.choice('hjlnpq')}"


def _copy(chance: random.Random, person: dict[str, str], errors: float, surnames: list[str], places: list[str]) -> dict[str, str | None]:
    def happens(probability: float) -> bool:
        return chance.random() < probability * errors

    copy: dict[str, str | None] = dict(person)
    first, last, born = person["first_name"], person["surname"], person["dob"]
    if happens(0.2):
        first = _SHORT.get(first, first)
    elif happens(0.06):
        first = _zipf(chance, _GIVEN)  # known by another name
    if happens(0.08):
        last = _zipf(chance, surnames)  # married, or a title
    copy["first_name"] = _typed(chance, first) if happens(0.15) else first
    copy["surname"] = _typed(chance, last) if happens(0.2) else last
    if happens(0.03):
        copy["first_name"], copy["surname"] = copy["surname"], copy["first_name"]
    if happens(0.15):
        born = born[:4] + "-01-01"
    elif happens(0.15):
        born = _slipped(chance, born)
    copy["dob"] = None if happens(0.12) else born
    if happens(0.2):
        copy["birth_place"] = _zipf(chance, places)
    elif happens(0.1):
        copy["birth_place"] = _typed(chance, person["birth_place"])
    if happens(0.35):
        copy["postcode"] = _postcode(chance)
    elif happens(0.1):
        copy["postcode"] = _typed(chance, person["postcode"])
    if happens(0.1):
        copy["occupation"] = _zipf(chance, _WORK)
    if happens(0.02):
        copy["gender"] = "f" if person["gender"] == "m" else "m"
    for column, share in (("birth_place", 0.15), ("postcode", 0.25), ("occupation", 0.3), ("gender", 0.2), ("first_name", 0.04)):
        if happens(share):
            copy[column] = None
    return copy


def _typed(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text))
    kind = chance.randrange(4)
    if kind == 0:
        return text[:at] + chance.choice(_KEYS) + text[at:]
    if kind == 1 and len(text) > 2:
        return text[:at] + text[at + 1 :]
    if kind == 2 and at:
        return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]
    return text[:at] + chance.choice(_KEYS) + text[at + 1 :]


def _slipped(chance: random.Random, born: str) -> str:
    year, month, day = born.split("-")
    kind = chance.randrange(3)
    if kind == 0:
        return f"{int(year) + chance.choice((-1, 1, 10))}-{month}-{day}"
    if kind == 1:
        return f"{year}-{month}-{chance.randrange(1, 29):02}"
    return f"{year}-{chance.randrange(1, 13):02}-{day}"

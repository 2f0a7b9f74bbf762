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


def pairwise_f1(pairs: pl.DataFrame, person: dict[str, int]) -> float:
    """Of the pairs id_l, id_r, against all pairs of records of one person."""
    sizes = pl.Series(list(person.values())).value_counts()["count"].cast(pl.Int64)
    true = int((sizes * (sizes - 1) // 2).sum())
    right = sum(person[one] == person[other] for one, other in pairs.select("id_l", "id_r").iter_rows())
    return 2 * right / (true + pairs.height)


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

"""What speaks of two people although their names are alike: two offices, companies, places, jobs, birthdays, numbers or mailboxes.

Does not belong here: names (see `person_names`), or which rows are compared (see `same_person`).
"""

from __future__ import annotations

import re
from functools import lru_cache

from lead_assets.core.places.deciding import decide
from lead_assets.core.places.reading import read_texts
from lead_assets.identity.compared_row import STEM, ComparedRow, has_digit, letters_of
from lead_assets.identity.person_names import read_name
from lead_assets.identity.phones import two_people


def are_of_two_offices(a: ComparedRow, b: ComparedRow) -> bool:
    """Whether two rows name mailboxes of two companies, or two of one company that are not both named after the person: each is somebody's at work."""
    if not (a.mailbox and b.mailbox) or a.mailbox == b.mailbox or a.shared or b.shared or a.free or b.free:
        return False
    (one, _, at), (other, _, there) = a.mailbox.partition("@"), b.mailbox.partition("@")
    if at.partition(".")[0] != there.partition(".")[0]:
        return True
    return at == there and letters_of(one) != letters_of(other) and not _are_aliases(one, other, a, b)


def contradict(a: ComparedRow, b: ComparedRow) -> bool:
    """Whether what is known of two namesakes of one company speaks of two people: other companies, profiles, extensions, cities, jobs, birthdays or numbers
    (two mobiles, or desks of two offices), or two mailboxes of the company of which one has a number ("john.smith2@") or does not spell the name."""
    if a.company and b.company and a.company != b.company:
        return True
    if a.profile and b.profile and a.profile != b.profile:
        return True
    if _of_two_places((a.country, a.state, a.city), (b.country, b.state, b.city)):
        return True
    if a.extension and b.extension and a.extension != b.extension:
        return True
    if a.mailbox and b.mailbox and a.mailbox != b.mailbox and not (a.shared or b.shared):
        (one, _, at), (other, _, there) = a.mailbox.partition("@"), b.mailbox.partition("@")
        if at == there and letters_of(one) != letters_of(other) and not _are_aliases(one, other, a, b):
            return True
    if any(
        row.mailbox and not row.free and has_digit(row.mailbox.partition("@")[0]) and row.mailbox != beside.mailbox
        for row, beside in ((a, b), (b, a))
    ):
        return True
    if a.born and b.born and a.born != b.born:
        return True
    return two_people(a.phone, b.phone) or _have_two_jobs(a, b)


def _have_two_jobs(a: ComparedRow, b: ComparedRow) -> bool:
    """Whether two titles are of two departments; or, if one of them does not say its own, have no word in common."""
    if a.department and b.department:
        return a.department != b.department
    words, others = ({word for word in re.findall(r"\w+", row.title) if len(word) > STEM} for row in (a, b))
    return bool(words and others) and words.isdisjoint(others)


@lru_cache(10_000)
def _of_two_places(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """Whether two countries, states and cities, as far as both are told, are two places. Munich and München are one."""
    if not any(a and b and a != b for a, b in zip(one, other, strict=True)):
        return False
    read = read_texts([text for text in (*one, *other) if text])
    here, there = (decide(read.get(country), read.get(state), read.get(city)) for country, state, city in (one, other))
    if any(a and b and a != b for a, b in ((here.country, there.country), (here.region, there.region))):
        return True
    cities, others = (
        {
            (city.country, city.region, city.population)
            for part in (read[texts[2]].parts if texts[2] in read else ())
            for meaning in part.meanings
            if (city := meaning.city)
        }
        for texts in (one, other)
    )
    return bool(one[2] and other[2] and one[2] != other[2] and cities.isdisjoint(others))


def _are_aliases(one: str, other: str, a: ComparedRow, b: ComparedRow) -> bool:
    """Whether two local parts at one domain are one person's: each spells the same name, without a number, and the titles are not two. "rajesh.kumar" and
    "rakesh.kumar" are two people: nobody makes one slip in his name and in his mailbox."""
    spelt = all(any(_spells(local, row.name) for row in (a, b)) for local in (one, other))
    own = all(read_name(row.name).words[0] in letters_of(local) for local, row in ((one, a), (other, b)))
    spelt = spelt and (not own or _spells(one, b.name) or _spells(other, a.name))
    return spelt and not has_digit(one + other) and not (a.title and b.title and a.title != b.title)


def _spells(local: str, name: str) -> bool:
    """Whether a mailbox is named after a person: given name, family name, or both, the one or the other as an initial."""
    words = read_name(name).words
    letters = letters_of(local)
    given, family = words[0], words[-1]
    return letters in {
        given,
        family,
        given + family,
        family + given,
        given[0] + family,
        given + family[0],
        family + given[0],
        family[0] + given,
    }

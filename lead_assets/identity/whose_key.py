"""Whose a mailbox, a number or a profile is, by what it says itself: one person's, anybody's of an office or a family, or nobody knows.

Does not belong here: who is merged for it (see `same_person`).
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache

from lead_assets.identity.compared_row import STEM, ComparedRow, letters_of
from lead_assets.identity.known_names import given_forms, household_words
from lead_assets.identity.person_names import read_name
from lead_assets.identity.phones import is_mobile


class Whose(IntEnum):
    """Whose a key is, by what it says itself."""

    ANYBODYS = 0
    """A landline, or a number of which nobody knows what it is; a mailbox of an office, a family or a business, or one that says nothing of who reads it."""
    INITIALS = 1
    """A mailbox with the initial of somebody's given name and his family name: his, or his sister's."""
    ONES_OWN_NUMBER = 2
    """A mobile: names may be short forms, and both are said."""
    ONES_OWN = 3
    """A profile, or a mailbox with somebody's given name in it: a family name may have changed, and a part may be missing."""


def whose_of(kind: str, rows: list[ComparedRow]) -> Whose:
    if kind == "profile":
        return Whose.ONES_OWN
    if kind == "phone":
        # Of a number whose country is not said, or has no ranges of its own for mobiles, nobody knows who answers it.
        return Whose.ONES_OWN_NUMBER if any(is_mobile(row.phone) for row in rows) else Whose.ANYBODYS
    if any(row.shared for row in rows):
        return Whose.ANYBODYS
    return max(_whose_mailbox(row.email.partition("@")[0], row.name) if row.email else Whose.ANYBODYS for row in rows)


@lru_cache(10_000)
def _whose_mailbox(local: str, name: str) -> Whose:
    """Whether a mailbox says a person's given name (a word of it, or the beginning of one), or only an initial beside the family name."""
    words, whole = read_name(name).words, read_name(name).whole
    letters = letters_of(re.sub(r"\d", "", local.partition("+")[0]))
    if not words or not letters:
        return Whose.ANYBODYS
    given, family = words[:-1] or words, words[-1]
    tokens = re.split(r"[^a-z]+", local)
    beside = letters.replace(family, "", 1) if len(words) > 1 else letters
    forms = {form for word in given for form in (word, *given_forms(word).split(" ")) if len(form) >= STEM}
    said = (
        not forms.isdisjoint((*tokens, beside))
        or not set(given).isdisjoint(tokens)
        or any(word in beside for word in forms.intersection(given))
    )
    if said or any(len(token) >= STEM and word.startswith(token) for word in given for token in (*tokens, beside)):
        return Whose.ONES_OWN
    # The s of "whitlocks@" is a plural.
    initials = {word[0] for word in given} | {"".join(word[0] for word in given)}
    families = {family, family[0], "".join(whole[1:])}
    spelt = {text for each in initials for last in families for text in (each + last, last + each if each != "s" else "")}
    return Whose.INITIALS if len(words) > 1 and letters in spelt else Whose.ANYBODYS


def is_nobodys(kind: str, rows: list[ComparedRow]) -> bool:
    """Whether a key is an office's or a family's, so that a row without a name is about nobody that it knows."""
    return kind == "email" and (any(row.shared for row in rows) or all(is_household(row) for row in rows))


def is_household(row: ComparedRow) -> bool:
    """Whether a mailbox is named after a family ("thehills@", "dayfam@") and after nobody in it."""
    words = read_name(row.name).words
    if len(words) < 2 or not row.email:
        return True
    text = row.email.partition("@")[0]
    if not household_words().isdisjoint(re.split(r"[^a-z]+", text)):
        return True
    local = letters_of(text)
    given, family = words[0], words[-1][:4]
    before, found, after = local.partition(family)
    if len(family) < STEM or not found or given[:STEM] in before + after:
        return False
    # "aSmith", "smithA", and "amSmith" of Anna Maria; "smiths" are several.
    return not ((before[:1] == given[0] and len(before) < len(words)) or (not before and after.endswith(given[0]) and given[0] != "s"))

"""What is known of a row that is compared with others, and the letters of a mailbox."""

from __future__ import annotations

from typing import NamedTuple

STEM = 3


class ComparedRow(NamedTuple):
    at: int
    by_id: int
    name: str
    address: str
    email: str | None
    mailbox: str | None
    phone: str | None
    profile: str | None
    extension: str | None
    shared: bool
    free: bool
    company: str
    title: str
    city: str
    state: str
    country: str
    department: str | None
    born: str


def has_digit(text: str) -> bool:
    return any(letter.isdigit() for letter in text)


def letters_of(local: str) -> str:
    return "".join(letter for letter in local if letter.isalnum())

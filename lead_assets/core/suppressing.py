"""What identifies a person who must not be processed or contacted: the values that suppressions store as hashes, and how they are keyed.

An e-mail address also stands for its mailbox ("jane.doe+x@gmail.com" is "janedoe@gmail.com"), a phone number also for its national digits, so that a number
written without its country is recognised. Does not belong here: where suppressions are recorded (see `lead_assets.ledger`), or reading a value as a person
types it (see `lead_assets.core.emails`, `lead_assets.identity.phones`).
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

from lead_assets.core.emails import mailbox_key

Kind = Literal["email", "domain", "phone"]
KINDS: tuple[Kind, ...] = ("email", "domain", "phone")
NATIONAL = "national:"
"""Before the digits of a phone number without its country."""


class SuppressionKeyError(RuntimeError):
    """The suppressions are keyed with another key than this process has: read without it, they would let everybody in who opted out."""


def value_hash(value: str) -> str:
    """SHA-256 (hex) of a normalised value. Anybody can try all phone numbers on it, so it is stored under a key where there is one: see `keyed`."""
    return hashlib.sha256(value.encode()).hexdigest()


def keyed(key: bytes | None, hashed: str) -> str:
    """The stored form of a `value_hash`: its HMAC-SHA-256 (hex) under the home's key (RFC 2104). Made of the hash, so that rows stored before there was a key
    can be keyed without knowing whom they name."""
    return hmac.digest(key, hashed.encode(), "sha256").hex() if key else hashed


def fingerprint(key: bytes) -> str:
    """16 hex digits that tell two keys apart and say nothing about either."""
    return keyed(key, "lead_assets/suppressions")[:16]


def email_values(email_normalized: str) -> list[tuple[Kind, str]]:
    """What is stored for an address: itself and its mailbox."""
    return [("email", value) for value in dict.fromkeys((email_normalized, mailbox_key(email_normalized)))]


def phone_values(phone_e164: str, national: str | None = None) -> list[tuple[Kind, str]]:
    """What is stored for a number in E.164, with its national digits."""
    return [("phone", phone_e164), *([("phone", NATIONAL + national)] if national else [])]  # type: ignore[list-item]


def contact_values(email_normalized: str | None = None, phone_e164: str | None = None) -> list[tuple[Kind, str]]:
    """Everything that may be suppressed about somebody who is to be contacted: the address, its mailbox, its domain and those above it, the phone."""
    values: list[tuple[Kind, str]] = []
    if email_normalized:
        values += email_values(email_normalized)
        labels = email_normalized.rpartition("@")[2].split(".")
        values += [("domain", ".".join(labels[start:])) for start in range(len(labels) - 1)]
    return values + (phone_values(phone_e164) if phone_e164 else [])

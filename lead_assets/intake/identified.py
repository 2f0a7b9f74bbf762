"""Who a lead is: an id for those whose sender gave none, and why a payload that names nobody is rejected.

Does not belong here: who is the same person as another (see `lead_assets.identity`).
"""

from __future__ import annotations

import hashlib

import polars as pl

from lead_assets.intake.payloads import Fault

NO_IDENTITY = Fault(
    "no_identity",
    "no e-mail, phone, LinkedIn profile, or name with company: send at least one; `lead-assets shapes try FILE` shows how the payload was read",
)
_INVALID_EMAIL = Fault(
    "invalid_email", "not a valid e-mail address, and nothing else identifies the lead: correct it, or send another identity", "email"
)
_MIN_PHONE_DIGITS = 7
# What people type to get past a form: one digit over and over, with or without a country code, or the keys in their order.
_JUNK_PHONE = (
    r"^\d{0,3}(?:0{6,}|1{6,}|2{6,}|3{6,}|4{6,}|5{6,}|6{6,}|7{6,}|8{6,}|9{6,})$|^1?0?(?:1234567(?:8(?:90?)?)?|9876543(?:2(?:10?)?)?)$"
)
_NAME = pl.coalesce("full_name", pl.concat_str(pl.col("first_name", "last_name"), separator=" ", ignore_nulls=True))


def identify(frame: pl.DataFrame, unread: dict[int, list[str]]) -> tuple[pl.DataFrame, dict[int, Fault]]:
    """Reject leads without any identity, and give an id to those whose sender gave none. An invalid address identifies nobody."""
    from lead_assets.core.columns import fold
    from lead_assets.core.emails import read_and_normalise, shared_mailboxes

    faults: dict[int, Fault] = {}
    sent, known = frame["email"], frame["email_normalized"]
    read, normal = read_and_normalise(sent if known.null_count() == known.len() else sent.set(known.is_not_null(), None))
    email, normal = (
        (sent, normal)
        if read is sent
        else (pl.select(pl.coalesce(read, sent)).to_series(), pl.select(pl.coalesce(normal, known)).to_series())
    )
    invalid = (normal.is_null() & email.is_not_null()).arg_true().to_list()
    for index in invalid:
        unread.setdefault(index, []).append("email")
    frame = frame.with_columns((email.scatter(invalid, None) if invalid else email).alias("email"), normal.alias("email_normalized"))
    # Most leads have both an id and an e-mail, so no identity has to be derived.
    unsure = frame.with_row_index("_index").filter(pl.col("email").is_null() | pl.col("lead_id").is_null())
    if unsure.is_empty():
        return frame, faults
    identities = _identities(
        unsure.with_columns(
            fold(unsure.select(_NAME).to_series()).replace("", None).alias("_name"),
            shared_mailboxes(unsure["email"].str.to_lowercase()).alias("_shared"),
        )
    )
    no_address = set(invalid)
    for index in unsure["_index"].filter(identities.is_null()).to_list():
        faults[index] = _INVALID_EMAIL if index in no_address else NO_IDENTITY
    derived = [f"ld_{hashlib.sha256(text.encode()).hexdigest()[:16]}" if text else None for text in identities.to_list()]
    ids = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height).scatter(unsure["_index"], pl.Series(derived, dtype=pl.String))
    return frame.with_columns(lead_id=pl.coalesce("lead_id", ids)), faults


def _identities(leads: pl.DataFrame) -> pl.Series:
    """What says who each lead is, the best first; null if nothing does. Colleagues share a switchboard, info@ and their company's page, so a person's name is
    part of it there: two strangers who typed 00000 were one lead, and one of them was lost."""
    digits = pl.col("phone").str.replace_all(r"\D", "")
    is_phone = digits.str.len_bytes().is_between(_MIN_PHONE_DIGITS, 24) & ~digits.str.contains(_JUNK_PHONE)
    profile = pl.col("linkedin_url").str.to_lowercase().str.strip_chars_end("/")
    named = pl.when(pl.col("_name").is_not_null()).then("|" + pl.col("_name")).otherwise(pl.lit(""))
    return leads.select(
        pl.coalesce(
            "email:" + pl.col("email").str.to_lowercase() + pl.when("_shared").then(named).otherwise(pl.lit("")),
            pl.when(is_phone).then("phone:" + digits + named),
            "linkedin:" + profile + pl.when(profile.str.contains(r"/(?:in|pub)/")).then(pl.lit("")).otherwise(named),
            pl.when(pl.col("company").is_not_null() & (_NAME != "")).then("person:" + (_NAME + "|" + pl.col("company")).str.to_lowercase()),
        )
    ).to_series()


def are_addresses(emails: pl.Series) -> pl.Series:
    """For each, whether it is a valid e-mail address as it stands."""
    from lead_assets.core.emails import normalise_emails

    return normalise_emails(emails.str.strip_chars())["valid"].fill_null(False)

"""Suppressions are stored under a key, and are looked at before anything is bought."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from lead_assets.core.settings import Settings
from lead_assets.core.suppressing import SuppressionKeyError, contact_values, email_values, keyed, value_hash
from lead_assets.ledger import Ledger, Lifetimes, Reply, Want, purchase
from lead_assets.ledger.opened import KEY_FILE, ledger_of, opened_ledger

DAY = timedelta(days=1)
KEY, OTHER = b"0123456789abcdef", b"fedcba9876543210"


def want(subject: str) -> Want:
    return Want("hunter", "hunter.verify", subject, 100, "spring", Lifetimes(DAY, DAY))


def test_hashes_stored_before_there_was_a_key_are_keyed_and_still_keep_people_out(url: str) -> None:
    plain = Ledger(url)
    plain.suppress("email", value_hash("jane@acme.example"), "asked")
    at = plain.suppressions()["suppressed_at"].to_list()
    plain.close()
    ledger = Ledger(url, key=lambda: KEY)
    stored = ledger.suppressions()
    assert stored.rows() == [("email", keyed(KEY, value_hash("jane@acme.example")), "asked", at[0])]
    assert value_hash("jane@acme.example") not in stored["value_hash"].to_list()
    assert ledger.suppressed_among([("email", "jane@acme.example"), ("email", "joe@acme.example")]) == {
        ("email", "jane@acme.example"): "asked"
    }
    ledger.close()


@pytest.mark.parametrize("key", [None, OTHER])
def test_without_their_key_suppressions_are_an_error_and_let_nobody_in(url: str, key: bytes | None) -> None:
    first = Ledger(url, key=lambda: KEY)
    first.suppress("email", value_hash("jane@acme.example"), "asked")
    first.close()
    ledger = Ledger(url, key=(lambda: key) if key else None)
    for look in (ledger.suppressions, lambda: ledger.suppressed_among([("email", "jane@acme.example")])):
        with pytest.raises(SuppressionKeyError, match="LEAD_ASSETS_SUPPRESSION_KEY"):
            look()
    ledger.close()


def test_the_home_makes_its_key_once_and_shows_it_to_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    with opened_ledger(settings) as ledger:
        ledger.suppress("email", value_hash("jane@acme.example"), "asked")
    key = (tmp_path / "home" / KEY_FILE).read_text()
    assert len(key) == 64
    assert (tmp_path / "home" / KEY_FILE).stat().st_mode & 0o077 == 0
    again = ledger_of(settings)
    assert again.suppressed_among([("email", "jane@acme.example")])
    assert (tmp_path / "home" / KEY_FILE).read_text() == key
    again.close()


@pytest.mark.parametrize("banned", [("email", "jane@acme.example"), ("domain", "acme.example")])
def test_nothing_is_bought_about_somebody_who_opted_out_in_the_meantime(url: str, banned: tuple[str, str]) -> None:
    ledger = Ledger(url, key=lambda: KEY)
    asked: list[str] = []

    async def vendor(wants: list[Want]) -> list[Reply]:
        asked.extend(each.subject for each in wants)
        return [Reply("found", body={}) for _ in wants]

    ledger.suppress(banned[0], value_hash(banned[1]), "asked")
    person, contact, other = want("jane@acme.example"), want("jane@acme.example jane doe acme.example"), want("joe@else.example")
    result = purchase(ledger, [person, contact, other], vendor)
    assert asked == ["joe@else.example"]
    assert [result.answers[each.key].reason for each in (person, contact, other)] == ["kept_out", "kept_out", None]
    ledger.close()


def test_a_mailbox_is_suppressed_in_all_its_spellings_and_with_the_domains_above_it() -> None:
    stored = email_values("jane.doe+news@gmail.com")
    assert ("email", "janedoe@gmail.com") in stored
    assert set(stored) & set(contact_values("jane.doe@gmail.com"))
    assert contact_values("jane@mail.acme.example", "+14155552671") == [
        ("email", "jane@mail.acme.example"),
        ("domain", "mail.acme.example"),
        ("domain", "acme.example"),
        ("phone", "+14155552671"),
    ]

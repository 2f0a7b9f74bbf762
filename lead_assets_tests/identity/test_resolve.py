"""Which raw leads are the same lead, which one is kept, and who must not be processed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lead_assets.contracts import Duplicate, Lead, RawLead, SuppressedLead
from lead_assets.core.suppressing import value_hash
from lead_assets.identity.resolve import Resolved, read_tables, resolve, smallest_of_component
from lead_assets_tests.conservation import of_leads

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def raw(*rows: dict[str, Any]) -> pl.DataFrame:
    """Raw leads: position counts up, each in one drop, received now, unless a row says otherwise."""
    return RawLead.frame(
        {
            "campaign_id": "spring",
            "lead_id": f"L{number}",
            "adapter": "lending_form",
            "drop_sha256": "d1",
            "drop_name": "drop.ndjson",
            "position": number,
            "part": 1,
            "received_at": NOW,
            "payload": f'{{"n":{number}}}',
            "extra": "{}",
            **row,
        }
        for number, row in enumerate(rows, start=1)
    )


def suppressions(*rows: tuple[str, str, str, datetime]) -> pl.DataFrame:
    schema = {"kind": pl.String, "value_hash": pl.String, "reason": pl.String, "suppressed_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame([(kind, value_hash(value), reason, at) for kind, value, reason, at in rows], schema=schema, orient="row")


def kept(resolved: Resolved) -> list[tuple[str, int]]:
    return sorted(resolved.leads.select("lead_id", "position").rows())


def dropped(resolved: Resolved) -> list[tuple[str, int, str, int, str]]:
    return sorted(resolved.duplicates.select("lead_id", "position", "duplicate_of", "kept_position", "matched_on").rows())


def test_a_lead_has_its_normalised_columns() -> None:
    lead = resolve(
        raw(
            {
                "email": "Jane.Doe@ACME.example",
                "phone": "(415) 555-2671 x9",
                "full_name": "DOE, Jane",
                "company": "ACME, Inc.",
                "title": "VP of Sales",
                "website": "https://www.acme.example/about",
                "country": "U.S.A.",
                "state": "Calif.",
            }
        )
    ).leads
    assert lead.schema == Lead.polars_schema()
    assert lead.select(
        "email", "email_normalized", "email_kind", "company_domain", "company_clean", "country_code", "state_code", "phone_e164", "name_first", "name_last",
        "seniority", "department", "account_key",
    ).row(0) == (
        "Jane.Doe@ACME.example", "jane.doe@acme.example", "business", "acme.example", "ACME", "US", "CA", "+14155552671", "Jane", "Doe", "vp", "sales",
        "acme.example",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "country", "e164"),
    [
        ({"country": "Deutschland", "phone": "030 901820"}, "DE", "+4930901820"),
        ({"state": "Texas", "phone": "(212) 555-2671"}, "US", "+12125552671"),
        ({"phone": "+44 20 7946 0958"}, "GB", "+442079460958"),
        ({"country": "n/a", "phone": "0044 20 7946 0958"}, "GB", "+442079460958"),
        ({"phone": "(212) 555-2671"}, None, None),
        ({"country": "Germany", "phone": "+44 20 7946 0958"}, "DE", "+442079460958"),
    ],
)
def test_the_country_comes_from_country_then_state_then_phone(fields: dict[str, Any], country: str | None, e164: str | None) -> None:
    assert resolve(raw({"email": "a@b.example", **fields})).leads.select("country_code", "phone_e164").row(0) == (country, e164)


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"email": "Jane@gmail.com", "phone": "+14155552671"}, "jane@gmail.com"),
        ({"phone": "+1 415 555 2671", "linkedin_url": "https://linkedin.com/in/jane/"}, "+14155552671"),
        ({"linkedin_url": "https://LinkedIn.com/in/Jane/"}, "https://linkedin.com/in/jane"),
        ({}, "spring\x1fL1"),
    ],
)
def test_a_person_without_a_company_is_an_account_by_a_hash_of_who_they_are(fields: dict[str, Any], identity: str) -> None:
    assert resolve(raw(fields)).leads["account_key"].to_list() == ["person:" + value_hash(identity)[:16]]


def test_the_same_lead_id_is_one_lead_and_the_newest_is_kept() -> None:
    resolved = resolve(
        raw(
            {"lead_id": "A", "email": "a@x.example", "submitted_at": NOW - DAY},
            {"lead_id": "A", "email": "b@x.example", "submitted_at": NOW - 2 * DAY},
        )
    )
    assert kept(resolved) == [("A", 1)]
    assert dropped(resolved) == [("A", 2, "A", 1, "lead_id")]


def test_a_row_that_arrives_again_as_it_was_changes_nothing_and_one_that_goes_back_is_the_newest() -> None:
    row = {"lead_id": "L1", "full_name": "Jane Doe", "title": "VP Sales", "payload": '{"title":"VP Sales"}'}
    promoted = row | {"title": "CRO", "payload": '{"title":"CRO"}'}
    times = [{"received_at": NOW + day * DAY, "drop_sha256": f"d{day}"} for day in range(4)]
    same = resolve(raw(*(row | at for at in times)))
    assert same.leads["received_at"].to_list() == [NOW]
    assert dropped(same) == [("L1", n, "L1", 1, "lead_id") for n in (2, 3, 4)]
    there_and_back = resolve(raw(row | times[0], promoted | times[1], row | times[2], row | times[3]))
    assert there_and_back.leads.select("title", "received_at").rows() == [("VP Sales", NOW + 2 * DAY)]


def test_the_same_email_is_one_lead_however_it_is_written() -> None:
    resolved = resolve(raw({"email": "Jane@x.example"}, {"email": " jane@X.EXAMPLE"}))
    assert kept(resolved) == [("L1", 2)]
    assert dropped(resolved) == [("L1", 1, "L1", 2, "person")]


def test_one_applicant_may_ask_for_two_properties() -> None:
    resolved = resolve(
        raw(
            {"email": "jane@x.example", "property_address": "12 Oak St."},
            {"email": "jane@x.example", "property_address": "9 Elm Ave"},
            {"email": "jane@x.example", "property_address": "12 OAK ST"},
            {"email": "jane@x.example"},
        )
    )
    assert kept(resolved) == [("L1", 3), ("L2", 2), ("L4", 4)]
    assert dropped(resolved) == [("L1", 1, "L1", 3, "person")]


def test_the_same_lead_in_two_campaigns_is_two_leads() -> None:
    resolved = resolve(raw({"lead_id": "A", "email": "a@x.example"}, {"lead_id": "A", "email": "a@x.example", "campaign_id": "autumn"}))
    assert kept(resolved) == [("A", 1), ("A", 2)]


def test_leads_without_an_email_are_not_the_same_lead() -> None:
    assert len(kept(resolve(raw({"email": None}, {"email": None}, {"email": "no address"}, {"email": "no address"})))) == 4


def test_a_chain_is_one_lead_and_names_only_the_one_that_was_kept() -> None:
    """1~2 by id, 2~3 by e-mail, 3~4 by id."""
    resolved = resolve(
        raw(
            {"lead_id": "A", "email": "one@x.example", "submitted_at": NOW - timedelta(hours=4)},
            {"lead_id": "A", "email": "two@x.example", "submitted_at": NOW - timedelta(hours=3)},
            {"lead_id": "B", "email": "two@x.example", "submitted_at": NOW - timedelta(hours=2)},
            {"lead_id": "B", "email": "three@x.example", "submitted_at": NOW - timedelta(hours=1)},
            {"lead_id": "C", "email": "other@x.example"},
        )
    )
    assert kept(resolved) == [("A", 4), ("C", 5)]
    assert dropped(resolved) == [("A", 1, "A", 4, "person"), ("A", 2, "A", 4, "person"), ("B", 3, "A", 4, "lead_id")]


@pytest.mark.parametrize(
    ("first", "second", "winner"),
    [
        ({"submitted_at": NOW - DAY}, {"submitted_at": NOW - 2 * DAY}, 1),
        ({"submitted_at": None, "received_at": NOW}, {"submitted_at": None, "received_at": NOW + DAY}, 2),
        ({"submitted_at": None, "received_at": NOW}, {"submitted_at": NOW - DAY, "received_at": NOW + DAY}, 1),
        ({"submitted_at": NOW - DAY, "received_at": NOW + DAY}, {"submitted_at": NOW - DAY, "received_at": NOW}, 1),
        ({"drop_sha256": "d2"}, {"drop_sha256": "d1"}, 1),
        ({}, {}, 2),
        # A sender whose clock runs two years ahead does not win forever; a few hours are a time zone.
        ({"submitted_at": NOW + 730 * DAY}, {"received_at": NOW + DAY}, 2),
        ({"submitted_at": NOW + timedelta(hours=9)}, {"submitted_at": NOW}, 1),
        ({"submitted_at": NOW + DAY}, {"submitted_at": NOW}, 1),
        ({"submitted_at": NOW + DAY + timedelta(seconds=1)}, {"submitted_at": NOW}, 2),
    ],
)
def test_the_newer_wins_by_submission_then_by_arrival(first: dict[str, Any], second: dict[str, Any], winner: int) -> None:
    assert kept(resolve(raw({"lead_id": "A", **first}, {"lead_id": "A", **second}))) == [("A", winner)]


def test_a_suppressed_email_keeps_the_lead_out() -> None:
    resolved = resolve(
        raw({"email": "Jane@gmail.com"}, {"email": "joe@gmail.com"}),
        suppressions(("email", "jane@gmail.com", "asked to be forgotten", NOW)),
    )
    assert kept(resolved) == [("L2", 2)]
    assert resolved.suppressed.rows() == [("spring", "L1", "asked to be forgotten", NOW)]


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "jane@acme.example"},
        {"email": "jane@mail.acme.example"},
        {"email": "jane@gmail.com", "website": "https://www.acme.example"},
        {"website": "acme.example"},
    ],
)
def test_a_suppressed_domain_keeps_all_its_leads_out(fields: dict[str, Any]) -> None:
    resolved = resolve(raw(fields, {"email": "joe@other.example"}), suppressions(("domain", "acme.example", "customer", NOW)))
    assert kept(resolved) == [("L2", 2)]
    assert resolved.suppressed["reason"].to_list() == ["customer"]


def test_a_suppressed_mail_server_keeps_its_own_leads_out_and_not_all_of_the_company() -> None:
    mailboxes = ({"email": "jane@mail.acme.example"}, {"email": "joe@acme.example"}, {"email": "kim@gmail.com"})
    nobody = suppressions(("domain", "mail.acme.example", "customer", NOW), ("domain", "gmail.com", "no private people", NOW))
    assert kept(resolve(raw(*mailboxes), nobody)) == [("L2", 2)]


def test_a_lead_is_suppressed_by_any_of_its_payloads_and_none_of_them_is_shown() -> None:
    resolved = resolve(
        raw({"lead_id": "A", "email": "old@gmail.com", "payload": '{"email":"old@gmail.com"}'}, {"lead_id": "A", "email": "new@gmail.com"}),
        suppressions(("email", "old@gmail.com", "asked", NOW)),
    )
    assert resolved.leads.is_empty()
    assert resolved.suppressed["lead_id"].to_list() == ["A"]
    assert resolved.duplicates["payload"].to_list() == ["{}"]


@pytest.mark.parametrize("phone", ["+1 (415) 555-2671", "(415) 555-2671"])
def test_a_suppressed_number_keeps_its_leads_out(phone: str) -> None:
    resolved = resolve(
        raw({"phone": phone, "country": "USA"}, {"phone": "+1 415 555 2672"}), suppressions(("phone", "+14155552671", "asked", NOW))
    )
    assert (kept(resolved), resolved.suppressed["reason"].to_list()) == ([("L2", 2)], ["asked"])


@pytest.mark.parametrize(("first", "later"), [("domain", "email"), ("email", "domain")])
def test_the_earliest_suppression_gives_the_reason(first: str, later: str) -> None:
    of = {"domain": "acme.example", "email": "jane@acme.example"}
    both = suppressions((later, of[later], "later", NOW), (first, of[first], "first", NOW - DAY))
    assert resolve(raw({"email": "jane@acme.example"}), both).suppressed.rows() == [("spring", "L1", "first", NOW - DAY)]


def test_of_suppressions_of_one_time_an_address_comes_before_a_number_and_a_number_before_a_domain() -> None:
    domain, phone = ("domain", "acme.example", "a", NOW), ("phone", "+14155552671", "b", NOW)
    row = raw({"email": "jane@acme.example", "phone": "+1 415 555 2671"})
    assert resolve(row, suppressions(domain, phone)).suppressed["reason"].item() == "b"
    assert resolve(row, suppressions(domain, phone, ("email", "jane@acme.example", "c", NOW))).suppressed["reason"].item() == "c"


@pytest.mark.parametrize("turned", [False, True])
def test_of_suppressions_of_one_time_the_persons_own_gives_the_reason_then_the_alphabet(turned: bool) -> None:
    at_once = [("domain", "acme.example", "a", NOW), ("domain", "mail.acme.example", "b", NOW), ("email", "jane@acme.example", "z", NOW)]
    rows = raw({"email": "jane@acme.example"}, {"email": "joe@mail.acme.example"})
    resolved = resolve(rows, suppressions(*(at_once[::-1] if turned else at_once)))
    assert sorted(resolved.suppressed.select("lead_id", "reason").rows()) == [("L1", "z"), ("L2", "a")]


@pytest.mark.parametrize(
    "nobody",
    [
        None,
        suppressions(("phone", "+14155552671", "of a kind of its own", NOW)),
        suppressions(),
        suppressions(("email", "someone@else.example", "asked", NOW)),
    ],
)
def test_no_matching_suppression_keeps_nobody_out(nobody: pl.DataFrame | None) -> None:
    assert resolve(raw({"email": "jane@acme.example"}), nobody).suppressed.is_empty()


def test_no_rows_give_empty_frames_of_the_contracts() -> None:
    for banned in (None, suppressions(("email", "a@b.example", "asked", NOW))):
        resolved = resolve(RawLead.empty(), banned)
        assert resolved.leads.schema == Lead.polars_schema()
        assert resolved.duplicates.schema == Duplicate.polars_schema()
        assert resolved.suppressed.schema == SuppressedLead.polars_schema()
        assert resolved.leads.height == resolved.duplicates.height == resolved.suppressed.height == 0
        assert of_leads(RawLead.empty(), resolved).is_empty()


def test_frames_of_rows_have_the_contracts_types() -> None:
    resolved = resolve(
        raw({"lead_id": "A"}, {"lead_id": "A"}, {"email": "jane@acme.example"}), suppressions(("email", "jane@acme.example", "asked", NOW))
    )
    assert resolved.leads.schema == Lead.polars_schema()
    assert resolved.duplicates.schema == Duplicate.polars_schema()
    assert resolved.suppressed.schema == SuppressedLead.polars_schema()


def test_conservation_counts_each_campaign_and_what_was_lost() -> None:
    rows = raw({"lead_id": "A"}, {"lead_id": "A"}, {"email": "j@x.example"}, {"campaign_id": "autumn"})
    resolved = resolve(rows, suppressions(("email", "j@x.example", "asked", NOW)))
    assert of_leads(rows, resolved).rows(named=True) == [
        {"campaign_id": "autumn", "received": 1, "leads": 1, "duplicate": 0, "suppressed": 0, "lost": 0},
        {"campaign_id": "spring", "received": 3, "leads": 1, "duplicate": 1, "suppressed": 1, "lost": 0},
    ]
    without = Resolved(resolved.leads.head(0), resolved.duplicates, resolved.suppressed)
    assert of_leads(rows, without)["lost"].to_list() == [1, 1]


def test_a_field_of_any_length_is_survived() -> None:
    fields = [
        name
        for name, dtype in RawLead.polars_schema().items()
        if dtype == pl.String and name not in ("campaign_id", "drop_sha256", "lead_id", "email_normalized")
    ]
    for text in ("x" * 200_000, "(" * 200_000, "a.b@" * 50_000, "Jane " * 40_000, "'\u0308" * 100_000):
        lead = resolve(raw(dict.fromkeys(fields, text))).leads
        assert lead.select("email_normalized", "company_domain", "country_code", "phone_e164", "name_first").row(0) == (None,) * 5


ROWS = st.fixed_dictionaries(
    {
        "campaign_id": st.sampled_from(["spring", "autumn"]),
        "lead_id": st.sampled_from("ABCDEF"),
        "email": st.sampled_from([None, "a@x.example", "A@X.example", "b@x.example", "c@gmail.com", "d@y.example", "not one"]),
        "property_address": st.sampled_from([None, "1 Oak", "1 OAK.", "2 Elm"]),
        "website": st.sampled_from([None, "x.example"]),
        "drop_sha256": st.sampled_from(["d1", "d2"]),
        "received_at": st.sampled_from([NOW, NOW + DAY]),
        "submitted_at": st.sampled_from([None, NOW - DAY, NOW, NOW + 99 * DAY]),
    }
)
BANNED = suppressions(("email", "a@x.example", "asked", NOW), ("domain", "y.example", "customer", NOW))


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, max_size=14), st.randoms(use_true_random=False))
def test_no_row_is_lost_and_their_order_does_not_matter(rows: list[dict[str, Any]], shuffle: random.Random) -> None:
    frame = raw(*rows)
    resolved = resolve(frame, BANNED)
    assert of_leads(frame, resolved)["lost"].to_list() == [0] * frame["campaign_id"].n_unique()

    order = list(range(frame.height))
    shuffle.shuffle(order)
    again = resolve(frame[order], BANNED)
    for one, other in ((resolved.leads, again.leads), (resolved.duplicates, again.duplicates), (resolved.suppressed, again.suppressed)):
        assert_frame_equal(one, other)


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, max_size=14))
def test_ids_are_unique_and_every_duplicate_names_a_lead_that_was_not_dropped(rows: list[dict[str, Any]]) -> None:
    frame = raw(*rows)
    resolved = resolve(frame)
    leads = resolved.leads
    assert leads.select("campaign_id", "lead_id").is_unique().all()
    survivors = leads.select("campaign_id", duplicate_of="lead_id", kept_drop_sha256="drop_sha256", kept_position="position")
    assert resolved.duplicates.join(survivors, on=survivors.columns, how="anti").is_empty()

    kept_rows = frame.join(leads, on=["campaign_id", "drop_sha256", "position"], how="semi")
    assert resolve(kept_rows).duplicates.is_empty()


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, max_size=14), ROWS)
def test_a_lead_keeps_its_id_when_more_arrives(rows: list[dict[str, Any]], later: dict[str, Any]) -> None:
    before = set(resolve(raw(*rows)).leads.select("campaign_id", "lead_id").rows())
    after = resolve(raw(*rows, later | {"received_at": NOW + 9 * DAY, "drop_sha256": "d9"}))
    new = (later["campaign_id"], later["lead_id"])
    found = set(after.leads.select("campaign_id", "lead_id").rows())
    assert found <= before | {new}
    assert {campaign for campaign, _ in before - found} <= {later["campaign_id"]}, "only leads that the new row joins become one"


@settings(max_examples=15, deadline=None)
@given(st.lists(ROWS, max_size=14))
def test_the_groups_are_the_connected_components(rows: list[dict[str, Any]]) -> None:
    """Against the slow and obvious way: join any two groups that share a row's id, or its e-mail and address, until nothing changes."""
    frame = raw(*rows)
    emails = {
        "a@x.example": "a@x.example",
        "A@X.example": "a@x.example",
        "b@x.example": "b@x.example",
        "c@gmail.com": "c@gmail.com",
        "d@y.example": "d",
    }
    addresses = {"1 Oak": "1 oak", "1 OAK.": "1 oak", "2 Elm": "2 elm"}
    groups: list[set[tuple[Any, ...]]] = []
    for row in frame.iter_rows(named=True):
        keys: set[tuple[Any, ...]] = {(row["campaign_id"], "id", row["lead_id"])}
        if row["email"] in emails:
            keys.add((row["campaign_id"], "email", emails[row["email"]], addresses.get(row["property_address"])))
        for group in [g for g in groups if g & keys]:
            groups.remove(group)
            keys |= group
        groups.append(keys)
    assert resolve(frame).leads.height == len(groups)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=30))
def test_a_component_is_named_by_its_smallest_id(links: list[tuple[int, int]]) -> None:
    """Against the walk: from an id to its e-mails, to their ids, until nothing new is met."""
    expected = {}
    for start in {by_id for by_id, _ in links}:
        ids = {start}
        while True:
            emails = {by_email for by_id, by_email in links if by_id in ids}
            met = {by_id for by_id, by_email in links if by_email in emails}
            if met == ids:
                break
            ids = met
        expected[start] = min(ids)
    frame = pl.DataFrame({"by_id": [by_id * 7 for by_id, _ in links], "by_key": [by_email * 3 for _, by_email in links]}).unique()
    found = smallest_of_component(frame)
    assert {row["by_id"] // 7: row["smallest"] // 7 for row in found.iter_rows(named=True)} == expected
    assert found["by_id"].is_unique().all()


def test_two_people_of_one_mailbox_get_two_ids_and_whoever_came_first_keeps_his() -> None:
    """The second one's is derived from what he says, so a later drop changes neither."""
    emily = {"full_name": "Emily Watson", "email": "watsons@gmail.com", "lead_id": "ld_0123456789abcdef"}
    couple = [emily, emily | {"full_name": "Tom Watson"}]
    first = resolve(raw(*couple)).leads
    assert first["lead_id"][0] == "ld_0123456789abcdef" != first["lead_id"][1]
    again = resolve(raw(*couple, emily | {"full_name": "Emily Watson", "title": "Owner"}, emily | {"full_name": "Thomas Watson"}))
    assert sorted(again.leads["lead_id"]) == sorted(first["lead_id"])
    assert again.duplicates["duplicate_of"].sort().to_list() == sorted(first["lead_id"])


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ({"received_at": NOW - DAY, "drop_sha256": "d2"}, {"received_at": NOW, "drop_sha256": "d1"}),
        ({"drop_sha256": "d1", "position": 9}, {"drop_sha256": "d2", "position": 1}),
        ({"position": 1, "part": 9}, {"position": 2, "part": 1}),
        ({"position": 1, "part": 1}, {"position": 1, "part": 2}),
    ],
)
def test_of_two_people_of_one_mailbox_the_first_by_arrival_drop_and_place_keeps_the_id(
    earlier: dict[str, Any], later: dict[str, Any]
) -> None:
    watsons = {"email": "watsons@gmail.com", "lead_id": "ld_0123456789abcdef"}
    for newest in (NOW, NOW - 2 * DAY):  # whichever says later when it was submitted
        rows = [
            {"full_name": "Tom Watson", **watsons, "submitted_at": newest, **later},
            {"full_name": "Emily Watson", **watsons, **earlier},
        ]
        leads = resolve(raw(*rows)).leads
        assert dict(leads.select("lead_id", "full_name").rows())["ld_0123456789abcdef"] == "Emily Watson"


def test_the_tables_that_are_read_ahead_can_be_read() -> None:
    read_tables()

"""Who is who over all campaigns: who is one, ids that stay, and that doing only what changed comes to what doing all again comes to."""

from __future__ import annotations

import random
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lead_assets.contracts import WHOLE_HOME, Lead, PersonLead
from lead_assets.core.settings import Settings
from lead_assets.identity import naming, standing
from lead_assets.identity.records import account_kind, account_records, person_kind, person_records
from lead_assets.identity.rules import IdentityRules, load_identity_rules
from lead_assets.identity.standing import Weighing
from lead_assets.identity.who import Before, WhoIsWho, who_is_who
from lead_assets.ledger import Ledger
from lead_assets.marts.mart import shipped_sql
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.identity.who_leads import frame, lead, many
from lead_assets_tests.rows import rows

pytestmark = pytest.mark.slow

RULES = load_identity_rules(Settings())
SMALL_BLOCKS = RULES.model_copy(update={"blocks": RULES.blocks.model_copy(update={"largest": 3, "neighbours": 2})})


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.db")


def before(found: WhoIsWho) -> Before:
    return Before(found.person_leads, found.account_members, found.links, found.vague_keys)


def persons(found: WhoIsWho) -> dict[str, str]:
    return {
        f"{campaign}/{lead_id}": person
        for campaign, lead_id, person in found.person_leads.select("campaign_id", "lead_id", "person_id").rows()
    }


def clusters(found: WhoIsWho) -> set[frozenset[str]]:
    of: dict[str, set[str]] = {}
    for key, person in persons(found).items():
        of.setdefault(person, set()).add(key)
    return {frozenset(keys) for keys in of.values()}


def accounts(found: WhoIsWho) -> dict[str, str]:
    return dict(found.account_members.select("member", "account_id").iter_rows())


def same(one: WhoIsWho, other: WhoIsWho, *, ids: bool = True) -> None:
    for name in ("people", "person_leads", "accounts", "account_members", "links", "vague_keys") if ids else ("links", "vague_keys"):
        a, b = getattr(one, name), getattr(other, name)
        columns = [column for column, dtype in a.schema.items() if not dtype.is_nested()]
        assert a.select(columns).sort(columns).equals(b.select(columns).sort(columns)), name
    assert clusters(one) == clusters(other)


JANE = {"phone_e164": "+12125550199", "postal_code": "10001", "country_code": "US"}
DESK = {"phone_e164": "+12125550100", "company_domain": "acme.com"}
ONE = [
    ("one mailbox, no names", {"email_normalized": "jd@gmail.com"}, "", {"email_normalized": "jd@gmail.com"}, ""),
    ("two e-mails, one phone", {"email_normalized": "jane@acme.com", **JANE}, "Jane Doe", {"email_normalized": "jd88@gmail.com", **JANE}, "Jane Doe"),
    ("a short form", {"email_normalized": "bob@acme.com"}, "Robert Miller", {"email_normalized": "bob@acme.com"}, "Bob Miller"),
    ("names exchanged", {"email_normalized": "jd@acme.com"}, "Jane Doe", {"email_normalized": "jd@acme.com"}, "Doe Jane"),
    ("a slip, one company", {"company_clean": "Acme", **JANE}, "Jane Abernathy", {"company_clean": "Acme", **JANE}, "Jane Abernaty"),
    ("another employer, one profile", {"email_normalized": "jane@acme.com", "linkedin_url": "https://www.linkedin.com/in/janedoe"}, "Jane Doe",
     {"email_normalized": "jane@globex.com", "linkedin_url": "linkedin.com/in/JaneDoe/"}, "Jane Doe"),
    ("a plus address", {"email_normalized": "jane.doe@gmail.com"}, "Jane Doe", {"email_normalized": "janedoe+offers@gmail.com"}, "Jane Doe"),
    ("two mailboxes that spell one name", {"email_normalized": "jane@acme.com"}, "Jane Doe", {"email_normalized": "jane.doe@acme.com"}, "Jane Doe"),
]  # fmt: skip
TWO = [
    ("a couple's mailbox", {"email_normalized": "doe@gmail.com"}, "Jane Doe", {"email_normalized": "doe@gmail.com"}, "John Doe"),
    ("a switchboard", DESK, "Jane Doe", DESK, "Bo Li"),
    ("a shared mailbox", {"email_normalized": "info@acme.com"}, "", {"email_normalized": "info@acme.com"}, ""),
    ("a namesake", {"email_normalized": "jane.doe@gmail.com"}, "Jane Doe", {"email_normalized": "jane.doe@globex.com"}, "Jane Doe"),
    ("two mailboxes of one company", {"email_normalized": "john.smith@acme.com"}, "John Smith", {"email_normalized": "john.smith2@acme.com"}, "John Smith"),
    ("Mark is not Mary", {"company_clean": "Acme", **JANE}, "Mark Doe", {"company_clean": "Acme", **JANE}, "Mary Doe"),
    ("nothing but a name", {}, "Jane Doe", {}, "Jane Doe"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "one", "name", "other", "other_name"), ONE, ids=[each[0] for each in ONE])
def test_one_person(said: str, one: dict[str, str], name: str, other: dict[str, str], other_name: str, ledger: Ledger) -> None:
    found = who_is_who(frame(lead("a", "1", name, **one), lead("b", "2", other_name, day=1, **other)), RULES, ledger.identities)
    assert found.people.height == 1, said
    assert found.people.select("leads", "campaigns", "first_campaign_id").row(0) == (2, 2, "a")


@pytest.mark.parametrize(("said", "one", "name", "other", "other_name"), TWO, ids=[each[0] for each in TWO])
def test_two_people(said: str, one: dict[str, str], name: str, other: dict[str, str], other_name: str, ledger: Ledger) -> None:
    found = who_is_who(frame(lead("a", "1", name, **one), lead("b", "2", other_name, day=1, **other)), RULES, ledger.identities)
    assert found.people.height == 2, said


@pytest.mark.parametrize("rules", [RULES, SMALL_BLOCKS], ids=["as shipped", "vague keys"])
def test_what_changed_alone_comes_to_what_all_again_comes_to(
    rules: IdentityRules, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign at a time, then edits and deletes, each beside a home that starts from nothing; and a warehouse lost on the way. What is few of pairs for a
    query and many for Splink must not matter."""
    monkeypatch.setattr(standing, "_FEW", 2_000)
    leads, _ = many(1_200, 400, per_campaign=150)
    chance = random.Random(3)
    found: WhoIsWho | None = None
    names = leads["campaign_id"].unique().sort().to_list()
    for arrived in range(4, len(names) + 1):
        known = leads.filter(pl.col("campaign_id").is_in(names[:arrived]))
        found = who_is_who(known, rules, ledger.identities, before(found) if found else None)
    assert found is not None
    fresh = who_is_who(leads, rules, Ledger(f"sqlite:///{tmp_path}/fresh.db").identities)
    same(found, fresh, ids=False)
    # Who was one person for a while and then two has the id of then, which the register knows and a home without it cannot.
    known, anew = persons(found), persons(fresh)
    assert sum(known[key] != anew[key] for key in known) <= len(known) // 100
    same(found, who_is_who(leads, rules, ledger.identities))
    for step in range(4):
        edited = leads.sample(12, seed=step)["lead_id"]
        gone = leads.sample(12, seed=step + 50)["lead_id"]
        leads = leads.filter(~pl.col("lead_id").is_in(gone.implode())).with_columns(
            phone_e164=pl.when(pl.col("lead_id").is_in(edited.implode()))
            .then(pl.lit(f"+1212555{chance.randrange(9999):04}"))
            .otherwise("phone_e164"),
            name_first=pl.when(pl.col("lead_id").is_in(edited.implode())).then(pl.lit("Zoe")).otherwise("name_first"),
        )
        found = who_is_who(leads, rules, ledger.identities, before(found))
        fresh = who_is_who(leads, rules, Ledger(f"sqlite:///{tmp_path}/fresh{step}.db").identities)
        same(found, fresh, ids=False)
        same(found, who_is_who(leads, rules, ledger.identities))


def test_after_inserts_edits_and_deletes_untouched_leads_keep_their_person(ledger: Ledger) -> None:
    leads, _ = many(3_000, 1_000)
    was = who_is_who(leads.head(2_970), RULES, ledger.identities)
    edited = leads.head(2_970).sample(30, seed=1)["lead_id"]
    gone = leads.head(2_970).sample(30, seed=2)["lead_id"]
    now = leads.filter(~pl.col("lead_id").is_in(gone.implode())).with_columns(
        email_normalized=pl.when(pl.col("lead_id").is_in(edited.implode()))
        .then(pl.lit("new") + pl.col("lead_id") + "@gmail.com")
        .otherwise("email_normalized")
    )
    found = who_is_who(now, RULES, ledger.identities, before(was))
    old, new = persons(was), persons(found)
    changed = {key for key in {*old, *new} if key not in old or key not in new or key.partition("/")[2] in edited}
    untouched = clusters(was) & {each for each in clusters(was) if changed.isdisjoint(each)}
    still = [each for each in untouched if each in clusters(found)]
    assert all(new[key] == old[key] for each in still for key in each)
    assert len(still) > 0.94 * len(untouched), "the others met a lead that is new or was edited"
    assert sum(new[key] == old[key] for key in old if key not in changed) > 0.995 * (len(old) - len(changed))


def test_splink_and_a_query_say_the_same_of_every_pair() -> None:
    leads, _ = many(400, 130)
    for kind, records in ((person_kind(RULES), person_records(leads)), (account_kind(RULES), account_records(leads))):
        records = records.head(150)
        left, right = np.triu_indices(records.height, k=1)
        weighing = Weighing(records, kind)
        for at_least in (None, kind.near, kind.accept):
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(standing, "_FEW", 0)
                by_splink = weighing.weigh(left, right, at_least=at_least)
                patched.setattr(standing, "_FEW", len(left))
                patched.setitem(sys.modules, "splink", None)
                assert_frame_equal(weighing.weigh(left, right, at_least=at_least), by_splink)
            assert by_splink.height > 0


def test_a_merge_keeps_the_older_id_and_a_division_leaves_it_to_those_nobody_touched(ledger: Ledger) -> None:
    jane = lead("a", "1", "Jane Doe", email_normalized="jane@acme.com")
    other = lead("b", "2", "Jane Doe", day=1, email_normalized="jd88@gmail.com", phone_e164="+12125550199")
    was = who_is_who(frame(jane, other), RULES, ledger.identities)
    assert was.people.height == 2
    between = lead("c", "3", "Jane Doe", day=2, email_normalized="jane@acme.com", phone_e164="+12125550199")
    one = who_is_who(frame(jane, other, between), RULES, ledger.identities, before(was))
    assert set(persons(one).values()) == {persons(was)["a/1"]}
    assert persons(who_is_who(frame(jane, other, between), RULES, ledger.identities)) == persons(one), "a lost warehouse changes no id"
    edited = jane | {"email_normalized": "bo@globex.com", "name_first": "Bo", "name_last": "Li", "company_domain": "globex.com"}
    divided = persons(who_is_who(frame(edited, other, between), RULES, ledger.identities, before(one)))
    assert divided["b/2"] == divided["c/3"] == persons(was)["a/1"]
    assert divided["a/1"] not in set(persons(was).values())
    assert persons(who_is_who(frame(edited, other, between), RULES, ledger.identities)) == divided


def test_a_copy_of_what_is_known_is_known_since_then(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a home of more leads than the register is asked about one by one."""
    monkeypatch.setattr(naming, "_FEW", 1)
    jane = lead("a", "1", "Jane Doe", email_normalized="jane@acme.com")
    others = [lead("b", str(at), "Bo Li", day=1, email_normalized=f"somebody{at}@globex{at}.com") for at in range(8)]
    was = who_is_who(frame(jane, *others), RULES, ledger.identities)
    copy = lead("c", "9", "Jane Doe", day=5, email_normalized="jane@acme.com")
    who_is_who(frame(jane, *others, copy), RULES, ledger.identities, before(was))
    (first,), (again,) = (ledger.identities.known("person", [member]) for member in ("a/1", "c/9"))
    assert first[1:] == again[1:]


def test_a_home_built_from_nothing_has_the_ids_of_one_to_which_leads_came_one_by_one(ledger: Ledger, tmp_path: Path) -> None:
    """However often people became one on the way, also of the same minute: the id is that of the oldest lead, and of a divided one stays with it."""
    of_jane = {"email_normalized": "jane@acme.com"}, {"email_normalized": "jd88@gmail.com", "phone_e164": "+12125550199"}
    leads = [lead("a", str(at), "Jane Doe", **of_jane[at % 2]) for at in range(2)]
    leads += [lead("b", "3", "Bo Li", day=1, email_normalized="bo@globex.com", phone_e164="+12125550177")]
    leads += [lead("c", "4", "Jane Doe", day=2, email_normalized="jane@acme.com", phone_e164="+12125550199")]
    leads += [lead("d", "5", "Bo Li", day=3, email_normalized="bo.li@initech.com", phone_e164="+12125550177")]
    found = None
    for count in range(1, len(leads) + 1):
        found = who_is_who(frame(*leads[:count]), RULES, ledger.identities, before(found) if found else None)
    assert found is not None
    assert found.people.height == 2
    same(found, who_is_who(frame(*leads), RULES, Ledger(f"sqlite:///{tmp_path}/fresh.db").identities))


def test_what_people_decided_outlives_everything(ledger: Ledger) -> None:
    leads = frame(
        lead("a", "1", "Jane Doe", email_normalized="jane@acme.com"),
        lead("b", "2", "Jane Doe", day=1, email_normalized="jane@acme.com"),
        lead("b", "3", "Bo Li", day=1, email_normalized="bo@globex.com"),
    )
    found = who_is_who(leads, RULES, ledger.identities)
    assert clusters(found) == {frozenset({"a/1", "b/2"}), frozenset({"b/3"})}
    ledger.identities.decide("person", [("a/1", "b/2")], same=False)
    ledger.identities.decide("person", [("b/3", "a/1")], same=True)
    apart = who_is_who(leads, RULES, ledger.identities, before(found))
    assert clusters(apart) == {frozenset({"a/1", "b/3"}), frozenset({"b/2"})}
    same(apart, who_is_who(leads, RULES, ledger.identities))
    more = pl.concat([leads, frame(lead("c", "4", "Jane Doe", day=2, email_normalized="jane@acme.com"))])
    joined = who_is_who(more, RULES, ledger.identities, before(apart))
    assert not any({"a/1", "b/2"} <= each for each in clusters(joined)), "somebody who is like both does not make them one"


def test_companies_under_two_domains_and_legal_names_are_one_account(ledger: Ledger) -> None:
    leads = frame(
        lead(
            "a", "1", "Jane Doe", email_normalized="jane@acme-robotics.com", company_clean="Acme Robotics", country_code="US", outcome="Won"
        ),
        lead("b", "2", "Bo Li", day=1, email_normalized="bo@acmerobotics.de", company_clean="Acme Robotics", country_code="DE"),
        lead("b", "3", "Al Ek", day=1, email_normalized="al@gmail.com", company_clean="ACME Robotics", country_code="US"),
        lead("b", "4", "Di Po", day=1, email_normalized="di@globex.com", company_clean="Globex", country_code="US"),
        lead("b", "5", "Ed Ro", day=1, email_normalized="ed@gmail.com", company_clean="Freelance", country_code="US"),
    )
    found = who_is_who(leads, RULES, ledger.identities)
    of = accounts(found)
    assert of["acme-robotics.com"] == of["acmerobotics.de"] == of["name:acmerobotics/US"] != of["globex.com"]
    assert set(of) == {"acme-robotics.com", "acmerobotics.de", "name:acmerobotics/US", "globex.com"}
    acme = found.accounts.filter(pl.col("account_id") == of["globex.com"]).row(0, named=True)
    assert (acme["domains"], acme["customer"]) == (["globex.com"], False)
    acme = found.accounts.filter(pl.col("account_id") == of["acme-robotics.com"]).row(0, named=True)
    assert (acme["account_key"], acme["domains"], acme["leads"], acme["customer"]) == (
        "acme-robotics.com", ["acme-robotics.com", "acmerobotics.de"], 3, True
    )  # fmt: skip
    customers = found.people.filter("customer")["full_name"].sort().to_list()
    assert customers == ["Al Ek", "Bo Li", "Jane Doe"], "who belongs to a customer's company is a customer's"


def test_nobody_is_nobody(ledger: Ledger) -> None:
    found = who_is_who(frame(), RULES, ledger.identities)
    assert [found.people.height, found.person_leads.height, found.accounts.height, found.links.height] == [0, 0, 0, 0]
    jane = frame(lead("a", "1", "Jane Doe", email_normalized="jane@acme.com"))
    one = who_is_who(jane, RULES, ledger.identities, before(found))
    assert one.people.height == 1
    assert who_is_who(frame(), RULES, ledger.identities, before(one)).people.height == 0
    assert persons(who_is_who(jane, RULES, ledger.identities, before(found))) == persons(one), "who was gone comes back as who it was"


def test_ten_thousand_leads_of_one_person_are_one_node(ledger: Ledger) -> None:
    jane = lead("a", "0", "Jane Doe", email_normalized="jane@acme.com")
    copies = frame(*(jane | {"campaign_id": f"c{at % 7}", "lead_id": str(at)} for at in range(10_000)))
    found = who_is_who(copies, RULES, ledger.identities)
    assert found.people.select("leads", "campaigns").row(0) == (10_000, 7)
    assert found.compared == 0
    more = who_is_who(pl.concat([copies, frame(jane)]), RULES, ledger.identities, before(found))
    assert more.people["leads"].to_list() == [10_001]
    assert more.looked_at_again == 0
    assert more.people["person_id"].to_list() == found.people["person_id"].to_list()


def test_a_huge_block_is_compared_in_part_and_named(ledger: Ledger) -> None:
    """2,000 people behind one phone, two of whom wrote twice."""
    given = ["Ann", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal", "Ida", "Jo"]
    leads = [
        lead("a", str(at), f"{given[at % 10]} {a}{b}{b}{c}{a}{c}son", phone_e164="+12125550100", email_normalized=f"m{at}@gmail.com")
        for at, (a, b, c) in enumerate([(x, y, z) for x, y, z in combinations("abcdefghijklmnopqrstuv", 3)][:1_500])
    ]
    leads += [row | {"campaign_id": "b", "email_normalized": f"other{row['lead_id']}@yahoo.com"} for row in leads[:2]]
    found = who_is_who(frame(*leads), RULES, ledger.identities)
    vague = found.vague_keys.filter(pl.col("kind") == "person").row(0, named=True)
    assert (vague["key_name"], vague["records"]) == ("phone", 1_502)
    assert vague["compared"] < 1_502 * 10
    assert {frozenset({"a/0", "b/0"}), frozenset({"a/1", "b/1"})} <= clusters(found)
    assert found.people.height == 1_500


def test_nothing_known_is_no_likeness(ledger: Ledger) -> None:
    """Empty texts, and numbers that a spreadsheet made of nothing."""
    empty = {"company_clean": "", "postal_code": "", "city": " ", "linkedin_url": "nan"}
    found = who_is_who(frame(lead("a", "1", **empty), lead("a", "2", **empty), lead("b", "3")), RULES, ledger.identities)
    assert found.people.height == 3
    assert found.accounts.height == 0


def test_whoever_is_in_several_campaigns_is_listed_with_the_first_lead(ledger: Ledger, tmp_path: Path) -> None:
    leads = frame(
        lead("a", "1", "Jane Doe", email_normalized="jane@acme.com", phone_e164="+12125550199"),
        lead("b", "2", "Jane Doe", day=1, email_normalized="jd88@gmail.com", phone_e164="+12125550199"),
        lead("b", "3", "Jane Doe", day=2, email_normalized="jane@acme.com"),
        lead("b", "4", "Bo Li", email_normalized="bo@globex.com"),
        lead("c", "5", email_normalized="info@globex.com"),
    )
    found = who_is_who(leads, RULES, ledger.identities)
    warehouse = warehouse_of(Settings(home=tmp_path / "home"))
    warehouse.prepare()
    warehouse.write(Lead, rows(Lead, leads.to_dicts()), ["a", "b", "c"])
    warehouse.write(PersonLead, found.person_leads, [WHOLE_HOME])
    sql = (shipped_sql() / "duplicates_across_campaigns.sql").read_text(encoding="utf-8")
    listed = warehouse.query(sql, [Lead, PersonLead]).sort("campaign_id", "lead_id")
    assert listed.select("lead_id", "matched_on", "first_lead_id", "is_first", "campaigns").rows() == [
        ("1", "email", "1", True, 2), ("2", "person", "1", False, 2), ("3", "email", "1", False, 2),
    ]  # fmt: skip

"""Who is who over a home of a million leads: all at once, a campaign of 1,000 more, and 1 % of inserts, edits and deletes.

`python -m benchmarks.who_is_who [leads]`. Leads are made up (`lead_assets_tests/linking/made_up.py`): 300,000 people in a million. All that a run does counts:
reading the leads from a DuckDB warehouse, linking, the ledger's register, and writing the tables.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from lead_assets.contracts import WHOLE_HOME, AccountMember, IdentityLink, KnownAccount, KnownPerson, Lead, PersonLead, Table, VagueKey
from lead_assets.core.settings import Settings
from lead_assets.identity.records import LEAD_COLUMNS
from lead_assets.identity.rules import load_identity_rules
from lead_assets.identity.who import Before, WhoIsWho, who_is_who
from lead_assets.ledger import Ledger
from lead_assets.stores.opened import warehouse_of
from lead_assets.stores.warehouse.base import Warehouse
from lead_assets_tests.identity.who_leads import many

TABLES: tuple[type[Table], ...] = (KnownPerson, PersonLead, KnownAccount, AccountMember, IdentityLink, VagueKey)
PER_CAMPAIGN = 1_000


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    leads, person = many(count + PER_CAMPAIGN + count // 100, count * 3 // 10, per_campaign=PER_CAMPAIGN)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder))
        ledger, warehouse = Ledger(settings.ledger_location), warehouse_of(settings)
        warehouse.prepare()
        known = leads.head(count)
        _store(warehouse, known)
        first = _run("all at once", warehouse, ledger, None, count)
        print(f"  pairwise F1 {_f1(first.person_leads, person):.3f}", flush=True)
        known = leads.head(count + PER_CAMPAIGN)
        _store(warehouse, known.tail(PER_CAMPAIGN))
        _run(f"a campaign of {PER_CAMPAIGN:,} more", warehouse, ledger, _before(warehouse), known.height)
        was = warehouse.read(PersonLead)
        edited = known.sample(count // 100, seed=1)["lead_id"]
        gone = known.sample(count // 100, seed=2)["lead_id"]
        changed = leads.filter(~pl.col("lead_id").is_in(gone.implode())).with_columns(
            email_normalized=pl.when(pl.col("lead_id").is_in(edited.implode()))
            .then(pl.lit("new") + pl.col("lead_id") + pl.lit("@gmail.com"))
            .otherwise("email_normalized")
        )
        _store(warehouse, changed)
        now = _run("1 % inserts, edits and deletes", warehouse, ledger, _before(warehouse), changed.height)
        _untouched(was, now.person_leads, {*edited.to_list(), *gone.to_list()})


def _store(warehouse: Warehouse, leads: pl.DataFrame) -> None:
    plain = {pl.String: "x", pl.Int64: 0}
    filled = [
        pl.lit(None if column.nullable else plain[type(column.dtype)], column.dtype).alias(column.name)  # type: ignore[index]
        for column in Lead.columns()
        if column.name not in leads.columns
    ]
    frame = leads.with_columns(filled)
    warehouse.write(Lead, frame, frame["campaign_id"].unique().to_list())


def _before(warehouse: Warehouse) -> Before:
    return Before(*(warehouse.read(contract) for contract in (PersonLead, AccountMember, IdentityLink, VagueKey)))


def _run(name: str, warehouse: Warehouse, ledger: Ledger, before: Before | None, leads: int) -> WhoIsWho:
    started = time.perf_counter()
    frame = warehouse.query(f"SELECT {', '.join(LEAD_COLUMNS)} FROM identity.leads", [Lead])
    found = who_is_who(frame, load_identity_rules(Settings()), ledger.identities, before)
    linked = time.perf_counter() - started
    for contract, rows in zip(TABLES, found, strict=False):
        warehouse.write(contract, rows, [WHOLE_HOME])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{name}: {time.perf_counter() - started:.1f} s ({linked:.1f} without writing), {leads:,} leads, {found.people.height:,} people, "
        f"{found.compared:,} pairs compared, {found.looked_at_again:,} records looked at, at most {memory:.1f} GB",
        flush=True,
    )
    return found


def _f1(leads: pl.DataFrame, person: dict[str, int]) -> float:
    truth = pl.DataFrame({"lead": list(person), "person": list(person.values())})
    both = leads.with_columns(lead=pl.concat_str("campaign_id", pl.lit("/"), "lead_id")).join(truth, on="lead")

    def pairs(*columns: str) -> int:
        sizes = both.group_by(columns).len()["len"].cast(pl.Int64)
        return int((sizes * (sizes - 1) // 2).sum())

    return 2 * pairs("person", "person_id") / (pairs("person") + pairs("person_id"))


def _untouched(was: pl.DataFrame, now: pl.DataFrame, changed: set[str]) -> None:
    """People who have the leads they had, and all leads that did not change: who was divided, or became one with an older person, has another id."""
    both = was.join(now, on=["campaign_id", "lead_id"], suffix="_now").filter(~pl.col("lead_id").is_in(list(changed)))
    sizes = [frame.group_by("person_id").len() for frame in (was, now)]
    together = both.group_by("person_id", "person_id_now").len()
    whole = together.join(sizes[0], on=["person_id", "len"], how="semi").join(
        sizes[1].rename({"person_id": "person_id_now"}), on=["person_id_now", "len"], how="semi"
    )
    same = whole.filter(pl.col("person_id") == pl.col("person_id_now")).height
    print(f"  {same:,} of {whole.height:,} people with the leads they had have the id they had;", end=" ")
    print(f"so have {(both['person_id'] == both['person_id_now']).mean():.3%} of all leads that did not change", flush=True)


if __name__ == "__main__":
    main()

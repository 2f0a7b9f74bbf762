"""Reads the labelled sets of people, domains and addresses, for tests and `benchmarks.people`."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import polars as pl

from lead_assets.core.emails import read_emails
from lead_assets.identity.resolve import resolve
from lead_assets_tests.identity.test_resolve import raw
from lead_assets_tests.intake.samples import NOON, ndjson, read


def labels(name: str) -> list[dict[str, str]]:
    """Rows of a set; a cell that an older row lacks is empty."""
    return list(csv.DictReader((Path(__file__).parent / "labels" / name).open(encoding="utf-8", newline=""), restval=""))


def merged(pair: dict[str, str]) -> bool:
    return _leads()[_key(pair)].height == 1


def possible(pair: dict[str, str]) -> bool:
    """Whether both leads name each other as possible duplicates."""
    return _leads()[_key(pair)]["possible_duplicates"].null_count() == 0


@functools.cache
def merged_from_payloads() -> list[dict[str, str]]:
    """The pairs that become one lead if each is sent as two payloads without an id, so that intake derives one from what they say."""
    pairs = labels("pairs.csv")
    fields = {"full_name": "name", "property_address": "address"}
    fields |= {field: field for field in ("email", "phone", "company", "linkedin_url", "title", "city")}
    payloads = [
        {field: pair[f"{name}_{side}"] for field, name in fields.items() if pair[f"{name}_{side}"]} for pair in pairs for side in "ab"
    ]
    taken = read(ndjson(*payloads)).leads.with_columns(
        campaign_id=((pl.col("position") - 1) // 2).cast(pl.String), received_at=pl.lit(NOON), drop_sha256=pl.lit("a")
    )
    # Of a pair of which one has no identity at all, nothing is told apart.
    taken = taken.filter(pl.len().over("campaign_id") > 1)
    alone = resolve(taken).leads.filter(pl.len().over("campaign_id") == 1)["campaign_id"].to_list()
    return [pairs[int(number)] for number in alone]


def _key(pair: dict[str, str]) -> tuple[str, ...]:
    return tuple(pair.values())


@functools.cache
def _leads() -> dict[tuple[str, ...], pl.DataFrame]:
    """The leads that each pair comes to. Each pair is a campaign of its own, and all are read at once."""
    pairs = labels("pairs.csv")
    received = [
        {
            "full_name": pair[f"name_{side}"] or None,
            "email": email,
            "phone": pair[f"phone_{side}"] or None,
            "company": pair[f"company_{side}"] or None,
            "property_address": pair[f"address_{side}"] or None,
            "linkedin_url": pair[f"linkedin_url_{side}"] or None,
            "title": pair[f"title_{side}"] or None,
            "city": pair[f"city_{side}"] or None,
        }
        for side in "ab"
        for pair, email in zip(
            pairs, read_emails(pl.Series([pair[f"email_{side}"] or None for pair in pairs], dtype=pl.String)), strict=True
        )
    ]
    campaigns = [str(number) for number in range(len(pairs))] * 2
    leads = resolve(raw(*received).with_columns(campaign_id=pl.Series(campaigns))).leads
    of = leads.partition_by("campaign_id", as_dict=True)
    return {_key(pair): of[str(number),] for number, pair in enumerate(pairs)}

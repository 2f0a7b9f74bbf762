"""Reads the labelled sets of people, domains and addresses, for tests and `benchmarks.people`."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import polars as pl

from lead_assets.core.emails import read_emails
from lead_assets.identity.resolve import resolve
from lead_assets_tests.identity.test_resolve import raw


def labels(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((Path(__file__).parent / "labels" / name).open(encoding="utf-8", newline="")))


def merged(pair: dict[str, str]) -> bool:
    return _leads()[_key(pair)].height == 1


def possible(pair: dict[str, str]) -> bool:
    """Whether both leads name each other as possible duplicates."""
    return _leads()[_key(pair)]["possible_duplicates"].null_count() == 0


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

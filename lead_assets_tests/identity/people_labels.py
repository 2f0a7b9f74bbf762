"""Reads the labelled sets of people, domains and addresses, for tests and `benchmarks.people`."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl

from lead_assets.core.emails import read_emails
from lead_assets.identity.resolve import resolve
from lead_assets_tests.identity.test_resolve import raw


def labels(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((Path(__file__).parent / "labels" / name).open(encoding="utf-8", newline="")))


def merged(pair: dict[str, str]) -> bool:
    return _leads(pair).height == 1


def possible(pair: dict[str, str]) -> bool:
    """Whether both leads name each other as possible duplicates."""
    return _leads(pair)["possible_duplicates"].null_count() == 0


def _leads(pair: dict[str, str]) -> pl.DataFrame:
    leads = [
        {
            "full_name": pair[f"name_{side}"] or None,
            "email": read_emails(pl.Series([pair[f"email_{side}"] or None], dtype=pl.String)).item(),
            "phone": pair[f"phone_{side}"] or None,
            "company": pair[f"company_{side}"] or None,
            "property_address": pair[f"address_{side}"] or None,
            "linkedin_url": pair[f"linkedin_url_{side}"] or None,
        }
        for side in "ab"
    ]
    return resolve(raw(*leads)).leads

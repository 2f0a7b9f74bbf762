"""Finds similar accounts: for each account of some campaigns, the few most similar ones that were known when it arrived.

Belongs here: who is compared with whom, as of when, and the wording of the result. Does not belong here: the measure (see `features`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from lead_assets.contracts import Account, SimilarAccount
from lead_assets.lookalike.features import band, tokens, vectors
from lead_assets.lookalike.known import OUTCOMES
from lead_assets.lookalike.rules import LookalikeRules

# Similarities held in memory at a time, for some accounts against all candidates: 32 MB. 1,000 × 100,000 at once would take 800 MB.
_CELLS = 4_000_000
_MOST_NAMED = 3
_DIGITS = 4


def similar_accounts(accounts: pl.DataFrame, known: pl.DataFrame, rules: LookalikeRules) -> pl.DataFrame:
    """Rows of contracts.SimilarAccount for `accounts` (contracts.Account, from any number of campaigns), chosen from `known` (the same, from all campaigns).

    An account sees those whose first lead arrived at least `rules.known_for` before its own, with the outcomes known by then, so later arrivals
    change nothing.
    """
    candidates = _candidates(known)
    if accounts.is_empty() or candidates.is_empty():
        return SimilarAccount.empty()
    wait = pl.duration(microseconds=int(rules.known_for.total_seconds() * 1_000_000))
    asked = accounts.with_columns(as_of=pl.col("known_at") - wait)
    visible = candidates["known_at"].search_sorted(asked["as_of"], side="right")
    asked = asked.with_columns(visible=visible).filter(pl.col("visible") > 0)
    if asked.is_empty():
        return SimilarAccount.empty()
    candidates = candidates.head(int(asked["visible"].max()))  # type: ignore[arg-type]
    found = list(_nearest(asked, candidates, rules))
    return _told(
        asked, candidates, pl.DataFrame(found, schema={"asked": pl.Int64, "candidate": pl.Int64, "similarity": pl.Float64}, orient="row")
    )


def _candidates(known: pl.DataFrame) -> pl.DataFrame:
    """One row per account, in order of arrival: as its first campaign shows it, with the outcomes from all campaigns."""
    first = known.sort("known_at", "campaign_id").unique("account_key", keep="first", maintain_order=True)
    heard = known.group_by("account_key").agg(pl.col(f"{outcome}_known_at").min() for outcome in OUTCOMES)
    return (
        first.drop(f"{outcome}_known_at" for outcome in OUTCOMES)
        .join(heard, on="account_key", how="left", validate="1:1")
        .select(Account.polars_schema().names())
        .sort("known_at", "account_key")
    )


def _nearest(asked: pl.DataFrame, candidates: pl.DataFrame, rules: LookalikeRules) -> Iterator[tuple[int, int, float]]:
    """(row of asked, row of candidates, similarity), most similar first, then first known first."""
    mine, theirs = vectors(asked, candidates, rules.weights)
    place = {key: row for row, key in enumerate(candidates["account_key"])}
    visible, own = asked["visible"].to_list(), [place.get(key) for key in asked["account_key"]]
    at_once = max(1, _CELLS // candidates.height)
    for start in range(0, asked.height, at_once):
        # Rounded, so that the last bit of a sum cannot change a rank or a hash.
        block = (theirs @ mine[start : start + at_once].toarray().T).T.round(_DIGITS)
        for row, similarities in enumerate(block, start):
            similarities = similarities[: visible[row]]
            if own[row] is not None and own[row] < visible[row]:
                similarities[own[row]] = 0.0
            near = (similarities >= rules.at_least).nonzero()[0]
            for index in near[(-similarities[near]).argsort(kind="stable")[: rules.at_most]]:
                yield row, int(index), float(similarities[index])


def _told(asked: pl.DataFrame, candidates: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The pairs as rows of the contract, with what the two have in common and what had become of the other by then."""
    left, right = asked[found["asked"]], candidates[found["candidate"]]
    other = right.rename({name: f"similar.{name}" for name in right.columns})
    pairs = pl.concat([left, other], how="horizontal")
    outcome = pl.coalesce(pl.when(pl.col(f"similar.{name}_known_at") <= pl.col("as_of")).then(pl.lit(name)) for name in OUTCOMES)
    return pairs.select(
        "campaign_id",
        "account_key",
        rank=pl.int_range(1, pl.len() + 1).over("campaign_id", "account_key"),
        similar_account_key=pl.col("similar.account_key"),
        similar_company=pl.col("similar.company_name"),
        similarity=found["similarity"],
        shared=pl.Series(list(_shared(left, right)), dtype=pl.List(pl.String)),
        outcome=outcome,
        similar_known_at=pl.col("similar.known_at"),
        synthetic=pl.col("synthetic") | pl.col("similar.synthetic"),
    ).select(pl.col(name).cast(dtype) for name, dtype in SimilarAccount.polars_schema().items())


def _shared(left: pl.DataFrame, right: pl.DataFrame) -> Iterator[list[str]]:
    """What each pair has in common, in words, as the first of the two has it."""
    words = [tokens(frame)["description"].to_list() for frame in (left, right)]
    bands = [band(frame).to_list() for frame in (left, right)]
    for index, (one, other) in enumerate(zip(left.iter_rows(named=True), right.iter_rows(named=True), strict=True)):
        said: list[str] = []
        if one["industry"] and other["industry"] and one["industry"].casefold() == other["industry"].casefold():
            said.append(f"same industry ({one['industry']})")
        if bands[0][index] is not None and bands[0][index] == bands[1][index]:
            said.append(f"{_people(one)} people")
        if one["country_code"] and one["country_code"] == other["country_code"]:
            said.append(f"same country ({one['country_code']})")
        theirs = {name.casefold() for name in other["technologies"] or ()}
        if both := [name for name in one["technologies"] or () if name.casefold() in theirs]:
            said.append("both use " + _few(both))
        if len(both := sorted(set(words[0][index] or ()) & set(words[1][index] or ()), key=lambda word: (-len(word), word))) > 1:
            said.append("both described by " + _few(both))
        yield said


def _few(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _people(account: dict[str, Any]) -> str:
    low, high = account["headcount_min"], account["headcount_max"]
    if low is None:
        return f"up to {high}"
    return f"{low} or more" if high is None else str(low) if low == high else f"{low}-{high}"

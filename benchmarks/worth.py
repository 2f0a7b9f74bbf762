"""What `when` saves and what it changes: 10,000 made-up leads of 3,000 companies, bought from a sandbox with everything, with the shipped rules, and with half
the money that these cost.

    python -m benchmarks worth    (or: python -m benchmarks.worth [--leads 10000] [--companies 3000] [--seed 11] [--json])

Most of the leads are what campaigns bring: juniors, free mailboxes, small companies. The companies' facts are those of the sandbox's world, and each lead has a
made-up outcome that depends on who it is, how large its company is and what it asks for, with noise. Goals: at most 0.35 of the cost of everything (each
subject bought once, as without `when`), at most 2 % of the leads in another tier, and with half the budget at least 90 % of the hot leads with
everything that the rules buy for them.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.classification.classify import classify
from lead_assets.contracts import RawLead
from lead_assets.core.settings import Settings
from lead_assets.estimating.expected import load_experience
from lead_assets.estimating.signals import rehearse
from lead_assets.identity.resolve import resolve
from lead_assets.ledger.ledger import Ledger
from lead_assets.ledger.model import to_micros
from lead_assets.sandbox import start
from lead_assets.sandbox.world import company
from lead_assets.scoring.ruleset import load_scoring_rules
from lead_assets.scoring.score import score
from lead_assets.signals.engine import Collected, collect_in_order
from lead_assets.signals.merge import enrich
from lead_assets.signals.signal import Signal, load_pre_score, load_signals
from lead_assets.signals.worth import PreScoreRules, SignalWhen, pre_scores

CAMPAIGN = "worth"
# A campaign's usual mix: title, share.
_TITLES = (
    ("Intern", 12), ("Student", 8), ("Assistant", 10), ("Analyst", 12), ("Specialist", 8), ("Senior Engineer", 6), ("Senior Analyst", 6),
    ("Manager, Operations", 10), ("Marketing Manager", 8), ("Director of Sales", 4), ("Director of IT", 3), ("Head of Marketing", 3), ("VP of Sales", 2),
    ("VP Operations", 1), ("Chief Operating Officer", 1), ("CEO", 2), ("Founder", 2), ("", 2),
)  # fmt: skip
_SIZES = ((10, 0.50), (50, 0.25), (200, 0.13), (10**9, 0.12))
"""Share of companies with at most so many people."""
_NOTES = (
    ("", 70), ("Just looking around.", 8), ("Please send the newsletter.", 6), ("I am writing my thesis.", 3), ("Comparing vendors this quarter.", 5),
    ("We need pricing for 40 seats within two weeks, budget is approved.", 3), ("Could we see a demo next month?", 5),
)  # fmt: skip
_SOURCES = (("content download", 35), ("webinar", 25), ("trade fair", 15), ("organic", 15), ("demo request", 7), ("referral", 3))


def made_up(leads: int, companies: int, seed: int) -> pl.DataFrame:
    """Rows of intake.raw_leads with outcomes."""
    chance = random.Random(seed)
    domains = _domains(companies, chance)
    at = datetime(2026, 11, 1, 9, tzinfo=UTC)
    rows: list[dict[str, Any]] = []
    for number in range(leads):
        domain = domains[number] if number < companies else chance.choice(domains)
        title, notes, source = _pick(chance, _TITLES), _pick(chance, _NOTES), _pick(chance, _SOURCES)
        mailbox = chance.random()
        free = mailbox > 0.65
        first, last = chance.choice(("Ana", "Ben", "Carla", "Dev", "Elif", "Femi", "Grace")), f"Lead{_letters(number)}"
        active = chance.random() < 0.4
        rows.append(
            {
                "campaign_id": CAMPAIGN,
                "lead_id": f"w{number}",
                "adapter": "csv",
                "drop_sha256": "0" * 64,
                "drop_name": "worth.csv",
                "position": number + 1,
                "part": 1,
                "received_at": at,
                "payload": "{}",
                "email": f"{first}.{last}@{'gmail.com' if free else domain}".lower(),
                "full_name": f"{first} {last}",
                "title": title or None,
                "company": domain.split(".")[0].replace("-", " ").title(),
                # A third of those who write from a free mailbox do not say where they work.
                "website": None if free and chance.random() < 0.33 else f"https://{domain}",
                "linkedin_url": f"https://www.linkedin.com/in/worth-{number}" if chance.random() < 0.85 else None,
                "source": source,
                "notes": notes or None,
                "country": "USA",
                "phone": f"+1512555{number % 10_000:04d}" if chance.random() < 0.3 else None,
                "web_activity_score": float(chance.randint(0, 100)) if active else None,
                "email_engagement_score": float(chance.randint(0, 100)) if active else None,
                "outcome": _outcome(title, domain, notes, source, chance),
            }
        )
    return RawLead.frame(rows)


def _domains(companies: int, chance: random.Random) -> list[str]:
    """Domains whose companies in the sandbox's world have the sizes of `_SIZES`."""
    wanted = {limit: round(companies * share) for limit, share in _SIZES}
    wanted[_SIZES[0][0]] += companies - sum(wanted.values())
    found: list[str] = []
    number = 0
    while len(found) < companies:
        domain, number = f"worth{_letters(number)}-{number}.example", number + 1
        limit = next(limit for limit, _ in _SIZES if company(domain).headcount <= limit)
        if wanted[limit]:
            wanted[limit] -= 1
            found.append(domain)
    chance.shuffle(found)
    return found


def _outcome(title: str, domain: str, notes: str, source: str, chance: random.Random) -> str:
    senior = any(word in title for word in ("VP", "Chief", "CEO", "Founder", "Head", "Director"))
    size = company(domain).headcount
    asks = any(word in notes for word in ("pricing", "demo", "Comparing"))
    won = 0.01 + 0.06 * senior + 0.05 * (size > 50) + 0.10 * asks + 0.04 * (source == "demo request")
    return "won" if chance.random() < won else "lost"


def _pick(chance: random.Random, shares: tuple[tuple[str, int], ...]) -> str:
    return chance.choices([each for each, _ in shares], [share for _, share in shares])[0]


def _letters(number: int) -> str:
    return "".join(chr(97 + int(digit)) for digit in str(number))


class Bought:
    """One way of buying, from a fresh ledger: the tables, the cost, the tiers."""

    def __init__(
        self,
        home: Path,
        url: str,
        leads: pl.DataFrame,
        signals: list[Signal],
        pre_score: PreScoreRules | None,
        budget_usd: float | None = None,
    ) -> None:
        settings = Settings(home=home, sandbox_url=url)
        self.ledger = Ledger(settings.ledger_location)
        if budget_usd is not None:
            self.ledger.set_budget("total", to_micros(Decimal(str(budget_usd))), period="all")
        began = time.perf_counter()
        self.collected: dict[str, Collected] = collect_in_order(signals, leads, ledger=self.ledger, settings=settings, pre_score=pre_score)
        self.seconds = time.perf_counter() - began
        self.usd = float(self.ledger.costs()["usd"].sum())
        self.by_signal = {name: round(each.stats.total.cost_micros / 1e6, 2) for name, each in self.collected.items()}
        if budget_usd is not None:
            return
        self.enriched = enrich(leads, {name: each.frame for name, each in self.collected.items()})
        classified = classify(leads, self.enriched, ledger=self.ledger, settings=settings)
        self.scores = score(classified.classifications, leads, self.enriched, load_scoring_rules(settings))


def measure(leads: int, companies: int, seed: int) -> dict[str, Any]:
    frame = resolve(made_up(leads, companies, seed), None).leads
    figures: dict[str, Any] = {"leads": frame.height, "companies": frame["company_domain"].n_unique(), "seed": seed}
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        settings = Settings(home=Path(folder) / "estimated", sandbox_url=sandbox.url)
        signals, pre_score = list(load_signals(settings).values()), load_pre_score(settings)
        assert pre_score is not None
        unconditional = [replace(signal, when=SignalWhen()) for signal in signals]
        every = Bought(Path(folder) / "everything", sandbox.url, frame, unconditional, None)
        ruled = Bought(Path(folder) / "ruled", sandbox.url, frame, signals, pre_score)
        half = Bought(Path(folder) / "half", sandbox.url, frame, signals, pre_score, budget_usd=round(ruled.usd / 2, 2))
        ledger = Ledger(settings.ledger_location)
        said = rehearse(signals, frame, ledger=ledger, settings=settings, experience=load_experience(settings, ledger), pre_score=pre_score)
    figures |= {
        "everything": {"usd": round(every.usd, 2), "by_signal": every.by_signal, "seconds": round(every.seconds, 1)},
        "rules": {"usd": round(ruled.usd, 2), "by_signal": ruled.by_signal, "seconds": round(ruled.seconds, 1)},
        "cost_ratio": round(ruled.usd / every.usd, 3),
        "estimated_usd": round(sum(each.cost_micros for each in said.expected) / 1e6, 2),
        **_tiers(frame, every, ruled),
        "half_budget": _of_hot(ruled, half) | {"usd": round(half.usd, 2)},
        "pre_score_tiers": dict(
            pre_scores(frame, {n: c.frame for n, c in ruled.collected.items()}, pre_score)["tier"].value_counts().iter_rows()
        ),
    }
    return figures


def _tiers(leads: pl.DataFrame, every: Bought, ruled: Bought) -> dict[str, Any]:
    both = every.scores.select("lead_id", every="tier", score="score").join(
        ruled.scores.select("lead_id", ruled="tier", ruled_score="score"), on="lead_id"
    )
    both = both.join(leads.select("lead_id", won=pl.col("outcome") == "won"), on="lead_id")
    changed = both.filter(pl.col("every") != pl.col("ruled"))
    moves = changed.group_by("every", "ruled").agg(pl.len(), pl.col("won").sum()).sort("len", descending=True)
    won = both.filter("won")
    return {
        "scored": both.height,
        "tier_changed": changed.height,
        "tier_changed_share": round(changed.height / both.height, 4),
        "moves": {f"{a} to {b}": {"leads": count, "won": hits} for a, b, count, hits in moves.iter_rows()},
        "tiers_everything": dict(both["every"].value_counts().sort("every").iter_rows()),
        "tiers_rules": dict(both["ruled"].value_counts().sort("ruled").iter_rows()),
        "won": won.height,
        "won_in_hot_everything": won.filter(pl.col("every") == "hot").height,
        "won_in_hot_rules": won.filter(pl.col("ruled") == "hot").height,
        "auc_everything": round(_auc(both["score"], both["won"]), 4),
        "auc_rules": round(_auc(both["ruled_score"], both["won"]), 4),
    }


def _auc(scores: pl.Series, won: pl.Series) -> float:
    """Of all pairs of a won and a lost lead, the share in which the won one has the higher score; ties count half."""
    ranks = scores.rank("average")
    wins, losses = int(won.sum()), int((~won).sum())
    return (float(ranks.filter(won).sum()) - wins * (wins + 1) / 2) / (wins * losses)


def _of_hot(ruled: Bought, half: Bought) -> dict[str, Any]:
    """Of the leads that are hot with the whole budget, those for which half of it bought the same: no signal was missed over the budget."""
    hot = ruled.scores.filter(pl.col("tier") == "hot").select("lead_id")
    short = [each.frame.filter(pl.col("reason") == "over_budget").select("lead_id") for each in half.collected.values()]
    lacking = pl.concat(short).unique()
    return {"hot": hot.height, "hot_fully_enriched": round(1 - hot.join(lacking, on="lead_id", how="semi").height / max(hot.height, 1), 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--companies", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    options = parser.parse_args()
    figures = measure(options.leads, options.companies, options.seed)
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>24}  {value}")


if __name__ == "__main__":
    main()

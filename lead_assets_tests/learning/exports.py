"""Made-up CRM exports: honest columns that predict somewhat, and columns that a CRM fills in once it knows how the lead ended.

Modelled on the columns of Salesforce lead reports, HubSpot contact exports and two public lead tables (a bank's phone campaign with `duration`, a school's
leads with `Tags`, `Lead Quality` and `Last Notable Activity`).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

HONEST = (
    "Lead Source",
    "Industry",
    "Company Size",
    "Total Time Spent on Website",
    "Country",
    "Job Level",
    "Previous Outcome",
    "Marital Status",
)
LEAKS = (
    "Closed Date", "Lost Reason", "Deal Amount", "Lead Status", "Tags", "Lead Quality", "Last Notable Activity", "Days to Close", "call_duration"
)  # fmt: skip


def crm_export(rows: int, *, seed: int = 0, won_share: float = 0.35) -> pl.DataFrame:
    """Ids, a creation date, honest columns, LEAKS and the target `Converted` (Yes or No)."""
    rng = np.random.default_rng(seed)
    source = rng.choice(["Google", "Referral", "Organic", "Event", "Chat"], rows, p=[0.35, 0.08, 0.27, 0.1, 0.2])
    industry = rng.choice([f"Industry {index}" for index in range(30)], rows)
    size = np.round(rng.lognormal(4, 1.5, rows)) + 1
    time_spent = np.where(rng.random(rows) < 0.3, 0, rng.gamma(2, 300, rows).round())
    level = rng.choice(["C-level", "VP", "Manager", "Other"], rows, p=[0.1, 0.15, 0.35, 0.4])
    before = rng.choice(["success", "failure", "nonexistent"], rows, p=[0.05, 0.15, 0.8])
    odds = (
        1.6 * (source == "Referral") + 0.5 * (source == "Event") - 0.6 * (source == "Chat") + 0.0022 * time_spent
        + 0.25 * np.log(size) + 0.8 * (level == "C-level") + 1.8 * (before == "success")
        + rng.normal(0, 0.4, 30)[np.array([int(name.split()[1]) for name in industry])]
    )  # fmt: skip
    noisy = odds + rng.logistic(0, 1, rows)
    won = noisy > np.quantile(noisy, 1 - won_share)
    created = [datetime(2024, 1, 1) + timedelta(hours=float(hours)) for hours in np.sort(rng.uniform(0, 24 * 700, rows))]
    days = rng.gamma(3, 12, rows).round() + 1
    closed = [moment + timedelta(days=float(count)) for moment, count in zip(created, days, strict=True)]

    def of(won_values: list[str], won_p: list[float], lost_p: list[float]) -> np.ndarray:  # type: ignore[type-arg]
        return np.where(won, rng.choice(won_values, rows, p=won_p), rng.choice(won_values, rows, p=lost_p))

    return pl.DataFrame(
        {
            "Prospect ID": [f"00Q{index:015x}" for index in rng.permutation(rows)],
            "Lead Number": np.sort(rng.choice(rows * 9, rows, replace=False)) + 579_000,
            "Email": [f"person{index}@company{index % 700}.example" for index in range(rows)],
            "Created Date": [moment.strftime("%Y-%m-%d %H:%M") for moment in created],
            "Lead Source": source,
            "Industry": industry,
            "Company Size": size,
            "Total Time Spent on Website": time_spent,
            "Country": rng.choice(["United States", "Germany", "India", "Select"], rows),
            "Job Level": level,
            "Previous Outcome": before,
            "Marital Status": np.where(rng.random(rows) < 0.45 + 0.15 * won, "married", "single"),
            "Receive Updates": "No",
            "Closed Date": [moment.strftime("%Y-%m-%d") if is_won else None for moment, is_won in zip(closed, won, strict=True)],
            "Lost Reason": _blank(won | (rng.random(rows) < 0.25), rng.choice(["Price", "No budget", "Competitor"], rows)),
            "Deal Amount": _blank(~won, rng.lognormal(9, 1, rows).round(2)),
            "Lead Status": of(["Qualified", "Working", "Unqualified"], [0.8, 0.15, 0.05], [0.05, 0.25, 0.7]),
            "Tags": of(["Will revert", "Ringing", "Interested in other", "Busy"], [0.82, 0.05, 0.05, 0.08], [0.05, 0.45, 0.35, 0.15]),
            "Lead Quality": of(["High", "Might be", "Not sure", "Worst"], [0.4, 0.35, 0.2, 0.05], [0.05, 0.2, 0.45, 0.3]),
            "Last Notable Activity": of(["SMS Sent", "Modified", "Email Opened"], [0.5, 0.2, 0.3], [0.18, 0.5, 0.32]),
            "Days to Close": np.where(won, days, np.where(rng.random(rows) < 0.5, days * 2, days * 3)),
            "call_duration": (rng.gamma(2, 110, rows) * np.where(won, 2.1, 1)).round(),
            "Converted": np.where(won, "Yes", "No"),
        },
        strict=False,
    )


def _blank(where: np.ndarray, values: np.ndarray) -> list[object]:  # type: ignore[type-arg]
    return [None if is_blank else value for is_blank, value in zip(where, values.tolist(), strict=True)]

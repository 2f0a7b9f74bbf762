"""Spending is also summed by outcome: state and reason. The sums are recomputed from the journal, which has both."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEYS = ("day", "campaign_id", "provider", "operation", "state", "reason")
_SUMS = {
    "calls": "CASE WHEN uncertain THEN 0 ELSE 1 END",
    "billed_calls": "CASE WHEN NOT uncertain AND cost_micros > 0 THEN 1 ELSE 0 END",
    "cost_micros": "CASE WHEN uncertain THEN 0 ELSE cost_micros END",
    "uncertain_calls": "CASE WHEN uncertain THEN 1 ELSE 0 END",
    "uncertain_micros": "CASE WHEN uncertain THEN cost_micros ELSE 0 END",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
}


def upgrade() -> None:
    op.drop_table("spend")
    whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "spend",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in _KEYS),
        *(sa.Column(name, whole, nullable=False, autoincrement=False) for name in _SUMS),
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    # Calls from before 0002 count for the day of their answer.
    answered = (
        "strftime('%Y-%m-%d', answered_at / 1000000, 'unixepoch')"
        if sqlite
        else "to_char(to_timestamp(answered_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    )
    keys = [f"COALESCE(day, {answered})", *_KEYS[1:5], "COALESCE(reason, '')"]
    sums = [f"CAST(SUM({each}) AS {'INTEGER' if sqlite else 'BIGINT'})" for each in _SUMS.values()]
    op.execute(
        f"INSERT INTO spend ({', '.join([*_KEYS, *_SUMS])}) SELECT {', '.join([*keys, *sums])} FROM calls GROUP BY {', '.join(keys)}"
    )

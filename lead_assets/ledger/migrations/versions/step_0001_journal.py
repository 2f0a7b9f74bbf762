"""The journal, its claims, budgets, rate windows, assignments and suppressions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calls",
        _whole("id", primary_key=True),
        _text("key"),
        _text("state"),
        _text("reason", nullable=True),
        _text("provider"),
        _text("operation"),
        _text("subject"),
        _text("campaign_id"),
        _whole("cost_micros"),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        _text("vendor_ref", nullable=True),
        _whole("input_tokens"),
        _whole("output_tokens"),
        _whole("latency_ms"),
        _whole("answered_at"),
        sa.Column("body", sa.LargeBinary, nullable=True),
    )
    op.create_table(
        "heads",
        _text("key", primary_key=True),
        _whole("known_id", nullable=True),
        _whole("unknown_id", nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "claims",
        _text("key", primary_key=True),
        _text("provider"),
        _text("operation"),
        _text("subject"),
        _text("campaign_id"),
        _whole("price_micros"),
        _text("day"),
        _text("owner"),
        _whole("claimed_at"),
        _whole("lease_until"),
        _text("vendor_ref", nullable=True),
    )
    op.create_index("claims_owner", "claims", ["owner"])
    op.create_table("budgets", *_keys("scope", "name", "period"), _whole("limit_micros"))
    op.create_table(
        "usage",
        *_keys("scope", "name", "period"),
        _whole("reserved_micros"),
        _whole("spent_micros"),
        _whole("uncertain_micros"),
    )
    op.create_table(
        "spend",
        *_keys("day", "campaign_id", "provider", "operation"),
        _whole("calls"),
        _whole("billed_calls"),
        _whole("cost_micros"),
        _whole("uncertain_calls"),
        _whole("uncertain_micros"),
        _whole("input_tokens"),
        _whole("output_tokens"),
    )
    op.create_table("rate_windows", _text("bucket", primary_key=True), _whole("per_us", primary_key=True), _whole("due_us"))
    op.create_table("circuits", _text("provider", primary_key=True), _whole("failures"), _whole("open_until"))
    op.create_table("controls", _text("name", primary_key=True), _text("value"), _whole("set_at"))
    op.create_table(
        "assignments",
        _text("account_key", primary_key=True),
        _text("owner"),
        _text("territory"),
        _text("rule"),
        _text("reason"),
        sa.Column("fallback", sa.Boolean, nullable=False),
        _text("lead_id"),
        _text("campaign_id"),
        _whole("assigned_at"),
    )
    op.create_table("suppressions", *_keys("kind", "value_hash"), _text("reason"), _whole("suppressed_at"))


def _keys(*names: str) -> list[sa.Column[str]]:
    return [_text(name, primary_key=True) for name in names]


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=nullable)


def _whole(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(
        name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=primary_key, nullable=nullable, autoincrement=False
    )

"""The service's keys, what was done with them, and the events that it received."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "service_keys",
        sa.Column("key_id", sa.Text, primary_key=True, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "scopes", "secret_sha256")),
        *(sa.Column(name, whole, nullable=True, autoincrement=False) for name in ("rate_per_second", "budget_micros")),
        sa.Column("created_at", whole, nullable=False, autoincrement=False),
        *(sa.Column(name, whole, nullable=True, autoincrement=False) for name in ("expires_at", "revoked_at")),
    )
    op.create_table(
        "key_spend",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in ("key_id", "day")),
        sa.Column("spent_micros", whole, nullable=False, autoincrement=False),
    )
    op.create_table(
        "key_uses",
        sa.Column("id", whole, primary_key=True, nullable=False, autoincrement=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("at", whole, nullable=False, autoincrement=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("status", whole, nullable=False, autoincrement=False),
        sa.Column("about", sa.Text, nullable=True),
        sa.Column("requests", whole, nullable=False, autoincrement=False),
    )
    op.create_index("key_uses_key", "key_uses", ["key_id", "id"])
    op.create_table(
        "received_events",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in ("source", "event_id")),
        sa.Column("drop_id", sa.Text, nullable=False),
        sa.Column("lead_id", sa.Text, nullable=True),
        sa.Column("received_at", whole, nullable=False, autoincrement=False),
        sqlite_with_rowid=False,
    )

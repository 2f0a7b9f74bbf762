"""Answers that campaigns missed for a temporary reason, so that they are asked for again when the provider is back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "misses",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in ("table_name", "campaign_id", "provider")),
        sa.Column("missed_at", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("given_up", sa.Boolean, nullable=False),
    )

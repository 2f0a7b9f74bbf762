"""What is wrong, and who was told of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "incidents",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in ("key", "channel")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "said")),
        sa.Column("opened_at", whole, nullable=False, autoincrement=False),
        sa.Column("told_at", whole, nullable=True, autoincrement=False),
        sa.Column("claimed_at", whole, nullable=False, autoincrement=False),
    )

"""Views that people saved in the explorer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("view_id", sa.Text, primary_key=True, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("key_id", "name", "state")),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("place", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False, autoincrement=False),
    )

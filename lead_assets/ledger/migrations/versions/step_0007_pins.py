"""Pins: which artifact (a model, an index) is in use, and which one each campaign was scored with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "pins",
        sa.Column("id", kind, primary_key=True, nullable=False, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("name", "scope", "artifact", "why")),
        sa.Column("pinned_at", kind, nullable=False, autoincrement=False),
    )
    op.create_index("pins_scope", "pins", ["name", "scope"])

"""A call's day: the one whose budgets reserved its price. Earlier calls have none and still count for the day of their answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable and without a default, so that adding it is instant even with millions of calls.
    op.add_column("calls", sa.Column("day", sa.Text, nullable=True))

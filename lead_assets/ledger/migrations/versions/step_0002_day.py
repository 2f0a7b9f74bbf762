"""A call's day: the one whose budgets reserved its price. Calls of before have none, and count for the day of their answer, as they did."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Nullable and without a default: added at once, however many million calls there are.
    op.add_column("calls", sa.Column("day", sa.Text, nullable=True))

"""A circuit records whether it is being probed: only a failed probe keeps a provider out for longer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("circuits", sa.Column("probing", sa.Boolean, nullable=False, server_default=sa.false()))

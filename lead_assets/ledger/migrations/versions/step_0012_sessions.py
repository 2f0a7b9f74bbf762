"""Who is signed in to the explorer, so that a restart and a second process know them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "key_sessions",
        sa.Column("cookie_sha256", sa.Text, primary_key=True, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("expires_at", whole, nullable=False, autoincrement=False),
    )
    op.create_index("key_sessions_end", "key_sessions", ["expires_at"])
    op.create_table(
        "service_secrets",
        sa.Column("name", sa.Text, primary_key=True, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
    )

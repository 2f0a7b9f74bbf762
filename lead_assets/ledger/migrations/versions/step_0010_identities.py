"""Who is who: the person of each lead, the account of each company, and what people decided about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "identities",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in ("kind", "member")),
        sa.Column("entity_id", sa.Text, nullable=False),
        sa.Column("since", whole, nullable=False, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("identities_entity", "identities", ["kind", "entity_id"])
    op.create_table(
        "identity_decisions",
        *(sa.Column(name, sa.Text, primary_key=True, nullable=False) for name in ("kind", "one", "other")),
        sa.Column("same", sa.Boolean, nullable=False),
        sa.Column("decided_at", whole, nullable=False, autoincrement=False),
    )

"""The outbox: what is to be sent, each send's history, and what destinations have of a person (hashes only)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outbox",
        _whole("id", primary_key=True),
        *(_text(name) for name in ("key", "destination", "kind", "campaign_id", "lead_id", "person", "content", "lane")),
        _text("owner", nullable=True),
        sa.Column("reaches", sa.Boolean, nullable=False),
        _text("after", nullable=True),
        sa.Column("body", sa.LargeBinary, nullable=True),
        _text("state"),
        _text("reason", nullable=True),
        *(_whole(name) for name in ("revision", "attempts", "uncertain", "as_of", "created_at")),
        *(_whole(name, nullable=True) for name in ("due_at", "due_by", "first_sent_at", "confirmed_at", "lease_until")),
        _text("vendor_ref", nullable=True),
        _text("holder", nullable=True),
    )
    op.create_index("outbox_key", "outbox", ["key"], unique=True)
    op.create_index("outbox_slot", "outbox", ["campaign_id", "lead_id", "destination", "kind"])
    op.create_index("outbox_due", "outbox", ["due_at"])
    op.create_index("outbox_person", "outbox", ["person"])
    op.create_index("outbox_holder", "outbox", ["holder"])
    op.create_table(
        "sends",
        _whole("id", primary_key=True),
        _whole("outbox_id"),
        _text("campaign_id"),
        _whole("at"),
        _text("state"),
        _text("reason", nullable=True),
        _whole("attempt"),
    )
    op.create_index("sends_outbox", "sends", ["outbox_id"])
    op.create_index("sends_campaign", "sends", ["campaign_id"])
    op.create_table(
        "mirrors",
        _text("destination", primary_key=True),
        _text("person", primary_key=True),
        sa.Column("fields", sa.LargeBinary, nullable=True),
        _text("vendor_id", nullable=True),
        _whole("updated_at"),
    )


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=nullable)


def _whole(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    return sa.Column(name, kind, primary_key=primary_key, nullable=nullable, autoincrement=False)

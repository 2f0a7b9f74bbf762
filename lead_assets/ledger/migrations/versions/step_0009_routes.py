"""Every lead's owner with how it was chosen, the turns of pools, what the CRM says of accounts, and every change of owner."""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "routed_leads",
        _text("campaign_id", primary_key=True),
        _text("lead_id", primary_key=True),
        _text("account_key"),
        _text("owner"),
        _text("way"),
        _whole("due_at", nullable=True),
        _whole("routed_at"),
        _whole("closed_at", nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_index("routed_leads_owner", "routed_leads", ["owner", "routed_at"])
    op.create_index("routed_leads_account", "routed_leads", ["account_key"])
    op.create_table("ways", _text("key", primary_key=True), _text("said"), sqlite_with_rowid=False)
    op.create_table("rotas", _text("name", primary_key=True), _text("state"))
    op.create_table("routing_tables", _text("digest", primary_key=True), _text("content"), _whole("first_used_at"))
    op.create_table(
        "crm_accounts",
        _text("account_key", primary_key=True),
        _text("owner", nullable=True),
        sa.Column("customer", sa.Boolean, nullable=True),
        _whole("seen_at"),
    )
    op.create_table(
        "owner_changes",
        _whole("id", primary_key=True),
        _whole("changed_at"),
        _text("kind"),
        _text("account_key"),
        _text("campaign_id", nullable=True),
        _text("lead_id", nullable=True),
        _text("owner_before", nullable=True),
        _text("owner_after", nullable=True),
        _text("changed_by"),
        _text("why"),
    )
    op.create_index("owner_changes_account", "owner_changes", ["account_key"])
    op.create_index("owner_changes_campaign", "owner_changes", ["campaign_id"])
    _first_leads()


def _first_leads() -> None:
    """Until now only accounts had a row. The lead that brought one in had the same owner for the same reason."""
    connection = op.get_bind()
    columns = ("campaign_id", "lead_id", "account_key", "owner", "territory", "rule", "reason", "fallback", "assigned_at")
    ways: dict[str, str] = {}
    rows = []
    for row in connection.execute(sa.text(f"SELECT {', '.join(columns)} FROM assignments")).mappings():
        way = {
            "authority": "fallback" if row["fallback"] else "rule",
            "territory": row["territory"],
            "rule": row["rule"],
            "reason": row["reason"],
        }
        said = json.dumps(way, sort_keys=True, separators=(",", ":"))
        key = hashlib.sha256(said.encode()).hexdigest()[:20]
        ways[key] = said
        rows.append(
            {name: row[name] for name in ("campaign_id", "lead_id", "account_key", "owner")} | {"way": key, "routed_at": row["assigned_at"]}
        )
    if rows:
        names = ("campaign_id", "lead_id", "account_key", "owner", "way", "routed_at")
        values = ", ".join(f":{name}" for name in names)
        # Two accounts of one lead: the lead's account has changed since, and the later row is the one that counts.
        connection.execute(sa.text(f"INSERT INTO routed_leads ({', '.join(names)}) VALUES ({values}) ON CONFLICT DO NOTHING"), rows)
        connection.execute(sa.text("INSERT INTO ways (key, said) VALUES (:key, :said)"), [{"key": k, "said": s} for k, s in ways.items()])


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=nullable)


def _whole(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(
        name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=primary_key, nullable=nullable, autoincrement=False
    )

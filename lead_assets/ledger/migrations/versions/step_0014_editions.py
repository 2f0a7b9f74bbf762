"""No table changes: what was sent may be noted with an edition (see `outbox_model.edition`), which releases before this step do not know: they would take
every such message for another one and send it again. They refuse the ledger instead."""

from __future__ import annotations

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass

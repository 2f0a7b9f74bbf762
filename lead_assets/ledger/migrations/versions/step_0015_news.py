"""No table changes: edition 3 of messages (see `outbox_model.NEWEST_EDITION`)."""

from __future__ import annotations

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass

"""Anthropic's Message Batches: accepted at once, processed in the background at half price, answered as JSONL in no particular order."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from lead_assets.sandbox.chance import Dice
from lead_assets.sandbox.service import BadRequest

MAX_ENTRIES = 100_000
USUAL_SECONDS = 0.2
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ENTRIES_AT_A_TIME = 25
"""Entries processed before other requests get their turn."""

Message = Callable[[dict[str, Any]], dict[str, Any]]
BatchVerdict = Callable[[str, dict[str, Any]], dict[str, Any] | None]


@dataclass
class Batch:
    requests: list[dict[str, Any]]
    id: str = field(default_factory=lambda: f"msgbatch_{uuid.uuid4().hex[:24]}")
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended_at: datetime | None = None
    cancel_initiated_at: datetime | None = None
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None

    def body(self, base: str) -> dict[str, Any]:
        """As the API shows it; `base` is the address of the API that the client used."""
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        if self.ended_at is None:
            counts["processing"] = len(self.requests)
        else:
            for result in self.results.values():
                counts[result["type"]] += 1
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": "ended" if self.ended_at else "canceling" if self.cancel_initiated_at else "in_progress",
            "request_counts": counts,
            "created_at": _shown(self.created_at),
            "expires_at": _shown(self.created_at + timedelta(hours=24)),
            "ended_at": _shown(self.ended_at),
            "cancel_initiated_at": _shown(self.cancel_initiated_at),
            "archived_at": None,
            "results_url": f"{base}/v1/messages/batches/{self.id}/results" if self.ended_at else None,
        }

    def lines(self) -> bytes:
        """The results as JSONL, in a fixed order that differs from the order of the requests."""
        order = sorted(self.results, key=lambda custom_id: Dice("batch", custom_id).number("order"))
        return b"".join(orjson.dumps({"custom_id": custom_id, "result": self.results[custom_id]}) + b"\n" for custom_id in order)

    async def work(self, message: Message, verdict: BatchVerdict, seconds: float) -> None:
        """Answer every entry; `verdict` may say that an entry errors or expires instead."""
        await asyncio.sleep(seconds)
        for index, entry in enumerate(self.requests):
            custom_id, params = entry["custom_id"], entry["params"]
            self.results[custom_id] = (
                {"type": "canceled"} if self.cancel_initiated_at else verdict(custom_id, params) or _result(message, params)
            )
            if index % _ENTRIES_AT_A_TIME == 0:
                await asyncio.sleep(0)
        self.ended_at = datetime.now(UTC)


def problem_of(body: Any) -> str | None:
    """What is wrong with a request to create a batch, or None."""
    entries = body.get("requests") if isinstance(body, dict) else None
    if not isinstance(entries, list) or not entries:
        return "requests: a non-empty list is required"
    if len(entries) > MAX_ENTRIES:
        return f"requests: at most {MAX_ENTRIES} entries"
    seen: set[str] = set()
    for index, entry in enumerate(entries):
        custom_id = entry.get("custom_id") if isinstance(entry, dict) else None
        if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
            return f"requests.{index}.custom_id: must match ^[a-zA-Z0-9_-]{{1,64}}$"
        if custom_id in seen:
            return f"requests.{index}.custom_id: must be unique within the batch"
        if not isinstance(entry.get("params"), dict):
            return f"requests.{index}.params: Field required"
        seen.add(custom_id)
    return None


def _result(message: Message, params: dict[str, Any]) -> dict[str, Any]:
    try:
        return {"type": "succeeded", "message": message(params)}
    except BadRequest as refused:
        return {"type": "errored", "error": orjson.loads(bytes(refused.response.body))}


def _shown(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None

"""One drop read whole: its bytes to a frame of leads and a frame of rejects, and which campaign each belongs to.

The same bytes and column map give the same frames, always: nothing here knows when or for whom the drop came in, until `place` is given a receipt.
Does not belong here: the archive (see `ingest`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from lead_assets.contracts import RawLead, RejectedPayload
from lead_assets.core.campaign_keys import campaign_key
from lead_assets.intake.csv_payloads import header_key
from lead_assets.intake.parse import parse
from lead_assets.intake.payloads import Reject
from lead_assets.intake.rows import DROP_SCHEMA, rows
from lead_assets.stores.archive import Receipt

_REJECT_SCHEMA = pl.Schema(
    {
        "position": pl.Int64(),
        "code": pl.String(),
        "reason": pl.String(),
        "field": pl.String(),
        "raw_text": pl.String(),
        "raw_bytes": pl.Int64(),
        "own_campaign": pl.String(),
    }
)


@dataclass(frozen=True)
class Drop:
    """What a drop holds. Both frames have `own_campaign`: the partition key of the campaign a payload names for itself, else null."""

    leads: pl.DataFrame
    rejects: pl.DataFrame
    unmapped: tuple[str, ...] = ()
    """What `column_map` renames and the drop has not: headers of a table that has none by that name, or of a drop that is no table."""

    def counts(self, default_campaign: str, *, forced: bool) -> pl.DataFrame:
        """Frame (campaign_id, rows, rejected): what each campaign gets from this drop, sorted by campaign."""
        campaign = _campaign(default_campaign, forced=forced)
        # with_columns, not select: a select of nothing but literals would make one row of any frame.
        both = pl.concat(
            [
                self.leads.with_columns(campaign, rows=1, rejected=0).select("campaign_id", "rows", "rejected"),
                self.rejects.with_columns(campaign, rows=0, rejected=1).select("campaign_id", "rows", "rejected"),
            ]
        )
        return both.group_by("campaign_id").agg(pl.col("rows", "rejected").sum().cast(pl.Int64)).sort("campaign_id")

    def place(self, receipts: Iterable[Receipt]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows of the receipts' campaigns, as `RawLead` and `RejectedPayload`. The receipts are of this drop, at most one a campaign."""
        leads, rejects = [RawLead.empty()], [RejectedPayload.empty()]
        for default, forced, group in _alike(receipts):
            campaign = _campaign(default, forced=forced)
            arrivals = pl.DataFrame(
                {
                    "campaign_id": [receipt.campaign_id for receipt in group],
                    "drop_sha256": [receipt.sha256 for receipt in group],
                    "drop_name": [receipt.name for receipt in group],
                    "received_at": [receipt.received_at for receipt in group],
                },
                schema_overrides={"received_at": pl.Datetime("us", "UTC")},
            )
            for frame, contract, placed in ((self.leads, RawLead, leads), (self.rejects, RejectedPayload, rejects)):
                joined = frame.with_columns(campaign).join(arrivals, on="campaign_id", how="inner", maintain_order="left")
                placed.append(joined.select(contract.polars_schema().names()))
        return pl.concat(leads), pl.concat(rejects)


def read_drop(data: bytes, *, max_payload_bytes: int, column_map: Mapping[str, str] | None = None, documents: bool = True) -> Drop:
    """All payloads of a drop, in the order they stand. Raises nothing for any bytes.

    Without `documents` the leads' `payload` and `extra` are left out: enough to count them, in half the time.
    """
    frames: list[pl.DataFrame] = [DROP_SCHEMA.to_frame()]
    rejected: list[Reject] = []
    headers: set[str] = set()
    for chunk in parse(data, max_payload_bytes=max_payload_bytes, column_map=column_map):
        frame, faulty = rows(chunk, documents=documents)
        frames.append(frame)
        rejected += faulty
        headers.update(map(header_key, chunk.headers or ()))
    leads = pl.concat(frames)
    named = leads["source_campaign"].unique().drop_nulls().to_list()
    keys = {name: key for name in {*named, *(reject.campaign for reject in rejected)} if name and (key := _key(name))}
    own = pl.col("source_campaign").replace_strict(keys, default=None, return_dtype=pl.String) if keys else pl.lit(None, dtype=pl.String)
    return Drop(
        leads=leads.with_columns(own_campaign=own),
        rejects=pl.DataFrame(
            [(*_reject_row(reject), keys.get(reject.campaign or "")) for reject in rejected], schema=_REJECT_SCHEMA, orient="row"
        ),
        unmapped=tuple(header for header in column_map or () if header_key(header) not in headers),
    )


def _reject_row(reject: Reject) -> tuple[int, str, str, str | None, str, int]:
    fault = reject.fault
    return reject.position, fault.code, fault.reason, fault.field, reject.raw_text, reject.raw_bytes


def _key(name: str) -> str | None:
    try:
        return campaign_key(name)
    except ValueError:  # nothing left of it to name a campaign by
        return None


def _campaign(default: str, *, forced: bool) -> pl.Expr:
    chosen = pl.lit(default) if forced else pl.col("own_campaign").fill_null(pl.lit(default))
    return chosen.alias("campaign_id")


def _alike(receipts: Iterable[Receipt]) -> list[tuple[str, bool, list[Receipt]]]:
    """Receipts grouped by what decides the campaign of a row."""
    groups: dict[tuple[str, bool], list[Receipt]] = {}
    for receipt in receipts:
        groups.setdefault((receipt.default_campaign, receipt.forced_campaign), []).append(receipt)
    return [(default, forced, group) for (default, forced), group in groups.items()]

"""Learns from the outcomes, and decides whether what was learned is used: only if it beats what is in use, on leads that neither of them has seen.

Belongs here: that decision, and storing the model with what it was made from. Does not belong here: the engine (`lead_assets.learning`), or what a
model sees (see `features`).
"""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from lead_assets.learning import artifact
from lead_assets.learning.errors import CannotLearn, WrongModel
from lead_assets.learning.fit import FEWEST_OF_EACH, Learned, ScoreModel, learn
from lead_assets.scoring.features import BEFORE, FEATURES, KEYS, OUTCOME
from lead_assets.stores.archive import Archive

HELD_OUT_OF_EACH = 10
"""Won and lost leads that neither model has seen, below which a comparison says nothing."""
_PROMOTED, _NOTHING = "promoted", "nothing"
_BEATS = 1e-3
"""Log loss per lead by which a new model must be better: less is chance."""


def build(table: pl.DataFrame, archive: Archive, in_use: str) -> tuple[dict[str, Any], ScoreModel | None]:
    """A row of contracts.ModelBuild, and the model if there is one. `table`: of `features.training_table`; `in_use`: the hash of the model in use, or "".

    What was decided for a table, against the model in use, is kept in the archive: the same table gives the same row again, also if the warehouse was deleted.
    """
    hashed = _data_hash(table)
    found = [f"models/{hashed}-{against}.json" for against in (_PROMOTED, in_use or _NOTHING)]
    for name in found:
        try:
            row = orjson.loads(archive.read(name))
            return row, load(archive, row["artifact"]) if row["artifact"] else None
        except (FileNotFoundError, WrongModel):
            continue
    row, model = _built(table, hashed, archive, in_use)
    archive.objects.put(found[row["verdict"] != "promoted"], orjson.dumps(row, option=orjson.OPT_SORT_KEYS))
    return row, model


def load(archive: Archive, sha256: str) -> ScoreModel:
    """The model of this hash. Raises WrongModel for one of another version, FileNotFoundError if the archive lacks it."""
    return _loaded(archive.get(sha256), sha256)


@lru_cache(maxsize=2)
def _loaded(data: bytes, sha256: str) -> ScoreModel:
    """Kept for who asks lead by lead."""
    with tempfile.TemporaryDirectory(prefix="lead-assets-") as folder:
        path = Path(folder) / f"{sha256[:12]}{artifact.SUFFIX}"
        path.write_bytes(data)
        return artifact.load(path)


def win_probabilities(known: pl.DataFrame, pinned: Mapping[str, str], archive: Archive) -> pl.DataFrame:
    """KEYS, win_probability (null without a model) and no_win_probability (why, in words). known: `features.features`; pinned: campaign → hash."""
    frames = [
        pl.DataFrame(schema={**dict.fromkeys(KEYS, pl.String), "win_probability": pl.Float64, "no_win_probability": pl.String}),
        *(
            _judged(known.filter(pl.col("campaign_id").is_in([c for c, used in pinned.items() if used == sha])), sha, archive)
            for sha in set(pinned.values())
        ),
    ]
    return pl.concat(frames)


def _judged(rows: pl.DataFrame, sha256: str, archive: Archive) -> pl.DataFrame:
    why, judged = "no model was in use when the campaign was scored", None
    if sha256:
        try:
            judged = load(archive, sha256).judge(rows) if rows.height else None
        except (WrongModel, FileNotFoundError) as error:
            why = f"its model cannot be used ({str(error).partition(';')[0]})"
    probability = pl.Series([None] * rows.height, dtype=pl.Float64) if judged is None else pl.Series(judged)
    return rows.select(
        *KEYS,
        probability.alias("win_probability"),
        pl.lit(None if judged is not None else why, dtype=pl.String).alias("no_win_probability"),
    )


def _built(table: pl.DataFrame, hashed: str, archive: Archive, in_use: str) -> tuple[dict[str, Any], ScoreModel | None]:
    counts = {name: int((table[OUTCOME] == name).sum()) for name in ("won", "lost", "open")}
    ended = counts["won"] + counts["lost"]
    before = int(table.filter(pl.col(OUTCOME) != "open")[BEFORE].sum())
    row: dict[str, Any] = {"data_hash": hashed, "artifact": None, "model": None, "rows": ended, **counts, "before_outcome": before}
    row |= {"features": [], "left_out": "[]", "metrics": "{}", "verdict": "too_few", "reason": ""}
    try:
        learned = _learn(table)
    except CannotLearn as error:
        return row | {"reason": f"scores stay on rules: {_lacking(counts) or error}"}, None
    row |= {
        "model": learned.model.name,
        "features": list(learned.model.moved),
        "left_out": _json([trap._asdict() for trap in learned.warnings]),
        "metrics": _json(dict(learned.model.cv)),
    }
    verdict, reason, held_out = _verdict(table, learned, archive, in_use)
    row |= {"verdict": verdict, "reason": reason, "metrics": _json({**learned.model.cv, **held_out})}
    row["artifact"] = _store(learned, table, archive) if verdict == "promoted" else in_use if verdict == "in_use" else None
    return row, learned.model


def _learn(table: pl.DataFrame) -> Learned:
    return learn(table.select(OUTCOME, *FEATURES), OUTCOME)


def _lacking(counts: Mapping[str, int]) -> str:
    lacking = [f"{FEWEST_OF_EACH - counts[name]} more {name}" for name in ("won", "lost") if counts[name] < FEWEST_OF_EACH]
    return (
        f"{' and '.join(lacking)} leads are needed to learn from ({FEWEST_OF_EACH} of each; {counts['won']} won and {counts['lost']} lost are known)"
        if lacking
        else ""
    )


def _verdict(table: pl.DataFrame, learned: Learned, archive: Archive, in_use: str) -> tuple[str, str, dict[str, Any]]:
    try:
        current = load(archive, in_use) if in_use else None
        seen = pl.read_parquet(io.BytesIO(archive.read(f"models/{in_use}.parquet"))) if in_use else None
    except (WrongModel, FileNotFoundError) as error:
        current, seen = None, None
        lost = f"; the one that was in use cannot be used ({str(error).partition(';')[0]})"
    else:
        lost = ""
    ended = table.filter(pl.col(OUTCOME) != "open")
    if current is None or seen is None:
        share = float((ended[OUTCOME] == "won").mean())  # type: ignore[arg-type]
        cv = learned.model.cv
        if cv["brier"] < share * (1 - share) and cv["auc"] > 0.5:
            return "promoted", f"on leads that it had not seen it is better than the share of won leads alone (AUC {cv['auc']}){lost}", {}
        return "not_better", f"on leads that it had not seen it is no better than the share of won leads alone (AUC {cv['auc']}){lost}", {}
    new, old = ended.join(seen, on=KEYS, how="anti"), ended.join(seen, on=KEYS, how="semi")
    of_each = [int((new[OUTCOME] == name).sum()) for name in ("won", "lost")]
    if min(of_each) < HELD_OUT_OF_EACH:
        more = ", ".join(
            f"{HELD_OUT_OF_EACH - count} more {name}"
            for count, name in zip(of_each, ("won", "lost"), strict=True)
            if count < HELD_OUT_OF_EACH
        )
        return "in_use", f"{more} leads that the model in use has not seen are needed to compare a new one with it", {}
    if min((old[OUTCOME] == name).sum() for name in ("won", "lost")) < FEWEST_OF_EACH:
        # The one in use was made from other leads: the newer part of what it has not seen judges, the older part is learned from.
        learned_from = new.height * 7 // 10
        old, new = pl.concat([old, new.head(learned_from)]), new.tail(-learned_from)
    try:
        rival = _learn(old).model
    except CannotLearn:
        return "in_use", "without the leads held out there are too few to learn from", {}
    loss = {name: round(_log_loss(new, model), 5) for name, model in (("new", rival), ("in_use", current))}
    shown = {"held_out": {"leads": new.height, "log_loss": loss}}
    told = f"on {new.height} leads that neither had seen its log loss is {loss['new']}, that of the one in use {loss['in_use']}"
    return ("promoted" if loss["new"] < loss["in_use"] - _BEATS else "not_better"), told, shown


def _log_loss(table: pl.DataFrame, model: ScoreModel) -> float:
    won = (table[OUTCOME] == "won").to_numpy()
    said = np.clip(model.judge(table), 1e-6, 1 - 1e-6)
    return float(-np.mean(np.where(won, np.log(said), np.log(1 - said))))


def _store(learned: Learned, table: pl.DataFrame, archive: Archive) -> str:
    """The model, and beside it the keys of the leads that it has seen."""
    with tempfile.TemporaryDirectory(prefix="lead-assets-") as folder:
        path = Path(folder) / f"model{artifact.SUFFIX}"
        artifact.save(learned, table, path)
        sha256 = archive.put(path.read_bytes())
    buffer = io.BytesIO()
    table.filter(pl.col(OUTCOME) != "open").select(KEYS).write_parquet(buffer)
    archive.objects.put(f"models/{sha256}.parquet", buffer.getvalue())
    return sha256


def _data_hash(table: pl.DataFrame) -> str:
    import sklearn

    made_by = f"{artifact.FORMAT} {sklearn.__version__} {artifact.data_hash(table)}"
    return hashlib.sha256(made_by.encode()).hexdigest()


def _json(said: Mapping[str, Any] | Sequence[Any]) -> str:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def drawn(model: ScoreModel) -> dict[str, str]:
    """Pictures of what a model does on leads that it had not seen, by name, as Markdown: ROC, calibration, lift, and what moves it."""
    from sklearn.metrics import roc_curve

    from lead_assets.kit import pictures
    from lead_assets.learning.measure import calibration

    said, won = (np.array(each, dtype=float) for each in zip(*model.curve, strict=True))
    false, true, _ = roc_curve(won, said)
    bins = calibration(won, said)
    best = np.arange(1, len(won) + 1)
    lift = np.cumsum(won[np.argsort(-said, kind="stable")]) / best / won.mean()
    line = pictures.curves
    return {
        "roc": line("ROC", {"model": (false.tolist(), true.tolist())}, x="lost leads taken for won", y="won leads found", diagonal=True),
        "calibration": line(
            "Calibration",
            {"model": ([at for _, at, _ in bins], [share for _, _, share in bins])},
            x="probability",
            y="share won",
            diagonal=True,
        ),
        "lift": line("Lift", {"model": ((best / len(won)).tolist(), lift.tolist())}, x="share of leads, best first", y="times the average"),
        "what_moved_it": pictures.bars("What moves it (log odds)", dict(list(model.moved.items())[:12])),
    }

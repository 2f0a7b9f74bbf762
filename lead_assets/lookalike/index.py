"""An index of past leads with outcomes: how much a lead looks like those of high value (`s_look`), how unlike any of them it is (`s_novel`), and the
difference that counts (`contrast`).

    s_look   = mean cosine to the k nearest records of high value
    s_novel  = 1 − mean cosine to the k nearest of all records
    contrast = s_look − (1 − s_novel)

Belongs here: building, storing, asking. Does not belong here: how a row becomes a vector (see `encoder`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lead_assets.lookalike.encoder import Encoder, FeatureSpec

FORMAT = "lookalike_index/1"
K = 20
EXACT_UP_TO = 50_000
"""Records up to which every vector is compared: 1.5 ms a lead. Above, HNSW: its build takes longer and finds 99 of 100 neighbours."""
_LINKS = 32
_BUILD_EFFORT = 80
_SEARCH_EFFORT = 192
_BATCH = 4096
_ROUNDING = 1e-6


class WrongIndex(ValueError):
    """The folder is no index, or was built from other columns or by another version. The text says which and what to do."""


@dataclass
class LookalikeIndex:
    """`ids` and `high`: of each record, in the order of its vectors. `shown`: what neighbours are described by."""

    spec: FeatureSpec
    encoder: Encoder
    every: Any
    best: Any
    ids: list[str]
    high: npt.NDArray[np.bool_]
    emails: frozenset[str]
    shown: pl.DataFrame
    built_at: str

    @property
    def facts(self) -> dict[str, Any]:
        """rows, high, built_at, spec."""
        return {"rows": len(self.ids), "high": int(self.high.sum()), "built_at": self.built_at, "spec": self.spec.model_dump(mode="json")}

    def is_known(self, email: str | None) -> bool:
        """Whether this e-mail address is an indexed customer's."""
        return bool(email) and _hashed(str(email)) in self.emails

    def ask(self, table: pl.DataFrame, *, own: str | None = None) -> pl.DataFrame:
        """One row per row of `table`: s_look, s_novel, contrast (null without records to compare), nn_all_ids, nn_high_ids, similarities (lists, nearest first).

        `own`: the column with a row's own id in the index; a row never finds itself.
        """
        return self.ask_vectors(self.encoder.transform(table), table[own].cast(pl.String).to_list() if own else None)

    def ask_vectors(self, vectors: npt.NDArray[np.float32], own: list[str | None] | None = None) -> pl.DataFrame:
        extra = 1 if own else 0
        every = _nearest(self.every, vectors, min(K + extra, len(self.ids)))
        high_at = np.flatnonzero(self.high)
        best = _nearest(self.best, vectors, min(K + extra, len(high_at)))
        best = (best[0], high_at[best[1]] if len(high_at) else best[1])
        if own:
            place = {name: index for index, name in enumerate(self.ids)}
            at = np.array([place.get(str(name), -1) for name in own])
            every, best = _without(every, at), _without(best, at)
        look, near = _mean(best[0]), _mean(every[0])
        names = np.array(self.ids, dtype=object)
        frame = pl.DataFrame(
            {
                "s_look": look,
                "s_novel": 1 - near,
                "contrast": look - near,
                "nn_all_ids": _listed(names, every[1]),
                "nn_high_ids": _listed(names, best[1]),
                "similarities": [[round(float(value), 6) for value in row if np.isfinite(value)] for row in every[0]],
            },
            schema_overrides={"nn_all_ids": pl.List(pl.String), "nn_high_ids": pl.List(pl.String), "similarities": pl.List(pl.Float64)},
        )
        return frame.with_columns(pl.col("s_look", "s_novel", "contrast").fill_nan(None))

    def save(self, folder: Path) -> None:
        """Writes the index as files of a folder. `manifest.json` is written last: a folder without it is not an index."""
        import faiss
        import skops.io

        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").unlink(missing_ok=True)
        faiss.write_index(self.every, str(folder / "every.faiss"))
        faiss.write_index(self.best, str(folder / "best.faiss"))
        skops.io.dump(_plain(self.encoder), folder / "encoder.skops")
        pl.DataFrame({"id": self.ids, "high": self.high}).hstack(self.shown).write_parquet(folder / "records.parquet")
        (folder / "emails.json").write_text(json.dumps(sorted(self.emails)))
        manifest = {"format": FORMAT, **_versions(), **self.facts}
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def build(
    table: pl.DataFrame, spec: FeatureSpec, *, label: str = "is_high_value", id_column: str | None = None, email_column: str = "email"
) -> LookalikeIndex:
    """An index of a table's rows. `label`: 1/0, true/false or yes/no; rows without one count as not of high value. Raises ValueError if empty."""
    if table.is_empty():
        raise ValueError("the table has no rows: an index needs at least one past lead")
    if label not in table.columns:
        raise ValueError(f"the table has no column {label!r}: name the one that marks leads of high value with --label-col")
    known = [name for name in spec.columns if name in table.columns]
    if not known:
        raise ValueError(f"the table has none of {', '.join(spec.columns)}: name its columns with --text-cols, --cat-cols and --num-cols")
    encoder = Encoder(spec).fit(table)
    vectors = encoder.transform(table)
    high = _high(table[label])
    ids = [str(value) for value in table[id_column].to_list()] if id_column else [str(index) for index in range(table.height)]
    emails = table[email_column].drop_nulls().cast(pl.String).to_list() if email_column in table.columns else []
    shown = table.select(pl.col(name).cast(pl.String) for name in (*spec.categories, *spec.numbers) if name in table.columns)
    built_at = datetime.now(UTC).isoformat(timespec="seconds")
    known_emails = frozenset(_hashed(email) for email in emails)
    return LookalikeIndex(spec, encoder, _indexed(vectors), _indexed(vectors[high]), ids, high, known_emails, shown, built_at)


def load(folder: Path, spec: FeatureSpec | None = None) -> LookalikeIndex:
    """The index of a folder. Raises WrongIndex if it is none, is of another version, or was built with another `spec`."""
    import faiss
    import skops.io

    try:
        manifest: Mapping[str, Any] = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):
        raise WrongIndex(f"{folder}: is no lookalike index; build one with `lead-assets lookalike build`") from None
    for name, version in {"format": FORMAT, **_versions()}.items():
        if manifest.get(name) != version:
            raise WrongIndex(f"{folder}: was built with {name} {manifest.get(name)}, here is {version}; build it again")
    own = FeatureSpec.model_validate(manifest["spec"])
    if spec is not None and spec != own:
        raise WrongIndex(f"{folder}: was built from {', '.join(own.columns)}, asked with {', '.join(spec.columns)}; build an index for these columns")
    records = pl.read_parquet(folder / "records.parquet")
    encoder = Encoder(own)
    encoder.__dict__.update(skops.io.load(folder / "encoder.skops", trusted=["lead_assets.lookalike.encoder.TfIdf", *_EMBEDDINGS]))
    return LookalikeIndex(
        own,
        encoder,
        faiss.read_index(str(folder / "every.faiss")),
        faiss.read_index(str(folder / "best.faiss")),
        records["id"].to_list(),
        records["high"].to_numpy(),
        frozenset(json.loads((folder / "emails.json").read_text())),
        records.drop("id", "high"),
        manifest["built_at"],
    )


_EMBEDDINGS = ("lead_assets.lookalike.encoder.WordLlamaWords", "lead_assets.lookalike.encoder.SentenceTransformerWords")


def _versions() -> dict[str, str]:
    import sklearn

    return {"scikit_learn": sklearn.__version__}


def _plain(encoder: Encoder) -> dict[str, Any]:
    return {name: value for name, value in vars(encoder).items() if name != "spec"}


def _indexed(vectors: npt.NDArray[np.float32]) -> Any:
    import faiss

    width = vectors.shape[1]
    if len(vectors) <= EXACT_UP_TO:
        index = faiss.IndexFlatIP(width)
    else:
        index = faiss.IndexHNSWFlat(width, _LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = _BUILD_EFFORT
        index.hnsw.efSearch = _SEARCH_EFFORT
    index.add(vectors)
    return index


def _nearest(index: Any, vectors: npt.NDArray[np.float32], k: int) -> tuple[Any, Any]:
    """(similarities, places): rows × k, nearest first."""
    if k == 0 or not len(vectors):
        return np.empty((len(vectors), 0)), np.empty((len(vectors), 0), dtype=np.int64)
    similarity, place = index.search(vectors, k)
    # Float32 gives a vector and itself 1.0000001.
    return np.where(place < 0, np.nan, np.clip(similarity, -1.0, 1.0)), place


def _without(found: tuple[Any, Any], own: npt.NDArray[np.int64]) -> tuple[Any, Any]:
    """The K nearest other than a row's own place."""
    similarity, place = found
    if not place.shape[1]:
        return found
    others = np.argsort(place == own[:, None], axis=1, kind="stable")[:, :K]
    similarity = np.where(place == own[:, None], np.nan, similarity)
    return np.take_along_axis(similarity, others, 1), np.take_along_axis(np.where(place == own[:, None], -1, place), others, 1)


def _mean(similarity: Any) -> Any:
    if not similarity.shape[1]:
        return np.full(len(similarity), np.nan)
    there = np.isfinite(similarity)
    total = np.where(there, similarity, 0.0).sum(axis=1)
    return np.divide(total, there.sum(axis=1), out=np.full(len(similarity), np.nan), where=there.any(axis=1))


def _listed(names: Any, places: Any) -> list[list[str]]:
    return [[names[place] for place in row if place >= 0] for row in places]


def _high(label: pl.Series) -> npt.NDArray[np.bool_]:
    from lead_assets.learning.target import read_target

    return np.asarray(read_target(label).won == 1)


def _hashed(email: str) -> str:
    return hashlib.sha256(email.strip().casefold().encode()).hexdigest()

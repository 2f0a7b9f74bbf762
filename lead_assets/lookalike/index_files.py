"""An index as the files of a folder: numbers, JSON and Parquet, so that reading one runs no code of its own.

Belongs here: storing, reading, refusing what is not an index of these columns and this version. Does not belong here: building and asking (see `index`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lead_assets.lookalike.encoder import Encoder, FeatureSpec, spec_of
from lead_assets.lookalike.index import LookalikeIndex, Records, WrongIndex
from lead_assets.lookalike.nearest import Nearest

FORMAT = "lookalike_index/1"
MANIFEST = "manifest.json"


def save(index: LookalikeIndex, folder: Path) -> None:
    """Writes the index. The manifest is written last: a folder without it is not an index."""
    import faiss

    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    parts = {"high": index.high, "rest": index.rest}
    for name, part in parts.items():
        faiss.write_index(part.graph, str(folder / f"{name}.faiss"))
    places = {f"{name}_{what}": getattr(part, what) for name, part in parts.items() for what in ("members", "starts")}
    np.savez(folder / "places.npz", **places)
    np.savez(folder / "encoder.npz", **index.encoder.arrays())
    (folder / "categories.json").write_text(json.dumps(index.encoder.frequencies), "utf-8")
    index.records.shown.write_parquet(folder / "records.parquet")
    (folder / "emails.json").write_text(json.dumps(sorted(index.records.emails)), "utf-8")
    manifest = {"format": FORMAT, "words": _words(index.encoder), **index.facts}
    begun = folder / f".{MANIFEST}"
    begun.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    begun.replace(folder / MANIFEST)


def load(folder: Path) -> LookalikeIndex:
    """The index of a folder. Raises WrongIndex if it is none, is of another version, or its files are not of one build."""
    import faiss

    try:
        manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        made_as = manifest.get("format")
    except (OSError, ValueError, AttributeError):
        raise WrongIndex(f"{folder}: is no lookalike index; build one with `lead-assets lookalike build`") from None
    if made_as != FORMAT:
        raise WrongIndex(
            f"{folder}: is an index of format {made_as}, here it is {FORMAT}; build it again with `lead-assets lookalike build`"
        )
    own = FeatureSpec.model_validate(manifest["spec"])
    encoder = Encoder(own)
    if (made_with := manifest.get("words")) != _words(encoder):
        raise WrongIndex(f"{folder}: its text was read by {made_with}, here it is {_words(encoder)}; build it again")
    try:
        with np.load(folder / "encoder.npz") as arrays:
            encoder.restore(dict(arrays), json.loads((folder / "categories.json").read_text("utf-8")))
        records = Records(pl.read_parquet(folder / "records.parquet"), frozenset(json.loads((folder / "emails.json").read_text("utf-8"))))
        with np.load(folder / "places.npz") as places:
            high, rest = (
                Nearest(faiss.read_index(str(folder / f"{name}.faiss")), places[f"{name}_members"], places[f"{name}_starts"])
                for name in ("high", "rest")
            )
    except (OSError, ValueError, KeyError, RuntimeError, pl.exceptions.PolarsError) as error:
        raise WrongIndex(f"{folder}: files of the index are missing or damaged ({type(error).__name__}); build it again") from None
    if len(high) + len(rest) != records.shown.height or any(part.graph.ntotal != len(part.starts) for part in (high, rest)):
        raise WrongIndex(f"{folder}: its files are of two different builds; build it again")
    return LookalikeIndex(own, encoder, high, rest, records, manifest["built_at"])


def same_columns(folder: Path, spec: FeatureSpec, columns: Mapping[str, tuple[str, ...]]) -> None:
    """Raises WrongIndex if these kinds of columns are not those of the index, which would compare what cannot be compared."""
    if (asked := spec_of(columns, base=spec)) != spec:
        raise WrongIndex(
            f"{folder}: was built from {_told(spec)}, but asked with {_told(asked)}; build an index of these columns, or name those"
        )


def _words(encoder: Encoder) -> str | None:
    return encoder.words.version if encoder.words else None


def _told(spec: FeatureSpec) -> str:
    kinds = {"text": spec.text, "categories": spec.categories, "numbers": spec.numbers}
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names) + f" ({spec.embedding})"

"""A model as one file: what it was made from, its figures and itself. Written with skops, which, unlike pickle, runs no code of the file when it is read.

Does not belong here: making a model (see `fit`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import polars as pl

from lead_assets.learning.errors import WrongModel
from lead_assets.learning.fit import Learned, ScoreModel

FORMAT = "score_model/1"
SUFFIX = ".skops"

# Everything else that a file names is refused.
_OURS = ("lead_assets.learning.calibrate.Calibration", "lead_assets.learning.features.Features", "lead_assets.learning.features._Words")
_THEIRS = ("functools.partial", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "sklearn.utils.validation.check_array")
_TRUSTED = [*_OURS, *_THEIRS, "lead_assets.learning.members.Boosting", "lead_assets.learning.members.Logistic"]


def save(learned: Learned, table: pl.DataFrame, path: Path) -> None:
    """Writes the model and what it was made from: the table's hash and size, the columns left out, the versions."""
    import sklearn
    import skops.io

    model = learned.model
    content = {
        "format": FORMAT,
        "scikit_learn": sklearn.__version__,
        "data": data_hash(table),
        "rows": learned.rows,
        "positives": learned.positives,
        "dropped": learned.dropped,
        "read_as": learned.read_as,
        "target": model.target,
        "name": model.name,
        "members": model.members,
        "calibration": model.calibration,
        "cv": dict(model.cv),
        "curve": [list(point) for point in model.curve],
        "moved": model.moved,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.with_name(f".{path.name}.partial")
    skops.io.dump(content, begun)
    begun.replace(path)


def load(path: Path) -> ScoreModel:
    """The model of a file. Raises WrongModel if it is none, or was made by another version of scikit-learn or of this format."""
    import sklearn
    import skops.io

    try:
        content: dict[str, Any] = skops.io.load(path, trusted=_TRUSTED)
    except FileNotFoundError:
        raise WrongModel(f"{path}: there is no such file") from None
    except Exception as error:  # a foreign file fails in whatever way its bytes lead to
        raise WrongModel(f"{path.name}: is no score model ({type(error).__name__}); make one with `lead-assets score fit`") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise WrongModel(f"{path.name}: is of another format than {FORMAT}; make it again with `lead-assets score fit`")
    if content["scikit_learn"] != sklearn.__version__:
        made = content["scikit_learn"]
        raise WrongModel(
            f"{path.name}: was made with scikit-learn {made}, here is {sklearn.__version__}; make it again with `lead-assets score fit`"
        )
    curve = [(float(said), float(happened)) for said, happened in content["curve"]]
    return ScoreModel(
        content["target"], content["name"], content["members"], content["calibration"], content["cv"], curve, content["moved"]
    )


def data_hash(table: pl.DataFrame) -> str:
    """SHA-256 of a table's columns and values, in their order."""
    digest = hashlib.sha256(repr(list(table.schema.items())).encode())
    digest.update(table.hash_rows(seed=0).to_numpy().tobytes())
    return digest.hexdigest()

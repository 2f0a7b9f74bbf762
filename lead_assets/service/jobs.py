"""Jobs: longer work that a request begins, each a `lead-assets` command in a process of its own, so that nobody's answer waits for it and a restart of the
service ends none. A job is told by its folder; its Dagster runs are named in its answer, and a run of Dagster is a job, too.

    <home>/jobs/<job id>/     asked.json (what, when, by which process), answer.json (the command's answer), log.txt, lines.txt (what it is about)

Does not belong here: routes (see `queues_api`), what the commands do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lead_assets.core.settings import Settings
from lead_assets.ledger.holders import is_gone, new_holder

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

OpensDagster = Callable[[], AbstractContextManager["DagsterInstance"]]
JOB_ID = re.compile(r"[0-9a-f-]{32,36}")
_MOST_KEPT = 200
_STATES = {"SUCCESS": "completed", "FAILURE": "failed", "CANCELED": "failed", "QUEUED": "pending", "NOT_STARTED": "pending"}


@dataclass
class Jobs:
    """The jobs of a home. `instance` opens Dagster's instance; without it (None), jobs are told without their runs."""

    settings: Settings
    instance: OpensDagster | None = None
    _begun: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def begin(self, kind: str, *arguments: str, job_id: str | None = None, lines: Sequence[str] = ()) -> dict[str, Any]:
        """Start `lead-assets <kind> <arguments> --json`. Returns the job, as `told` does. `job_id`: 32 hexadecimal digits that its asker made up; asked for
        again, by whatever process, nothing is started. `lines`: what the command's last argument, a file, has."""
        job_id = job_id or uuid.uuid4().hex
        folder = self._folder / job_id
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            return self.told(job_id) or {"job_id": job_id}
        if lines:
            file = folder / "lines.txt"
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            arguments = (*arguments, str(file.resolve()))
        environment = os.environ | {"LEAD_ASSETS_HOME": str(self.settings.home.resolve())}
        if self.settings.sandbox_url:
            environment["LEAD_ASSETS_SANDBOX_URL"] = self.settings.sandbox_url
        command = [sys.executable, "-c", "from lead_assets.cli.app import main; main()", kind, *arguments, "--json"]
        with (folder / "answer.json").open("wb") as answer, (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=answer, stderr=log)  # noqa: S603 - ourselves
        holder = new_holder().split(":")
        asked = {"kind": kind, "arguments": list(arguments), "started_at": datetime.now(UTC).isoformat()}
        (folder / "asked.json").write_text(json.dumps(asked | {"holder": f"{holder[0]}:{process.pid}:{job_id}"}), "utf-8")
        self._begun[job_id] = process
        self._forget_old()
        return self.told(job_id) or {}

    def told(self, job_id: str) -> dict[str, Any] | None:
        """job_id, kind, status (pending, running, completed or failed), started_at, completed_at, results, error, run_ids and runs: of a job that the service
        began, or of a Dagster run. None if there is no such job."""
        try:
            asked = json.loads((self._folder / job_id / "asked.json").read_text("utf-8"))
        except (OSError, ValueError):
            return next(self._runs([job_id]), None)
        answer_file = self._folder / job_id / "answer.json"
        process = self._begun.get(job_id)
        is_running = process.poll() is None if process is not None else not is_gone(asked["holder"])
        said: dict[str, Any] = {"job_id": job_id, "kind": asked["kind"], "arguments": asked["arguments"], "started_at": asked["started_at"]}
        if is_running:
            return said | {"status": "running", "completed_at": None, "results": None, "error": None, "run_ids": [], "runs": []}
        try:
            results = json.loads(answer_file.read_text("utf-8").strip().splitlines()[-1])
        except (ValueError, IndexError):
            results = None
        ended = datetime.fromtimestamp(answer_file.stat().st_mtime, UTC).isoformat()
        run_ids = [str(each) for each in (results or {}).get("run_ids", [])]
        failures = [str(each) for each in (results or {}).get("failures", [])]
        error = None if results is not None and not failures else "; ".join(failures) or self._last_words(job_id)
        return said | {
            "status": "completed" if error is None else "failed",
            "completed_at": ended,
            "results": results,
            "error": error,
            "run_ids": run_ids,
            "runs": list(self._runs(run_ids)),
        }

    def listed(self, most: int, campaign: str | None = None) -> list[dict[str, Any]]:
        """The newest Dagster runs as jobs, newest first."""
        from dagster import RunsFilter

        if self.instance is None:
            return []
        wanted = RunsFilter(tags={"dagster/partition": campaign}) if campaign is not None else None
        with self.instance() as instance:
            return [_of_run(record.dagster_run, record) for record in instance.get_run_records(wanted, limit=most)]

    def _runs(self, run_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        from dagster import RunsFilter

        if not run_ids or self.instance is None:
            return
        with self.instance() as instance:
            for record in instance.get_run_records(RunsFilter(run_ids=list(run_ids))):
                yield _of_run(record.dagster_run, record) | {"results": _steps(instance, record.dagster_run.run_id)}

    def _last_words(self, job_id: str) -> str:
        lines = (self._folder / job_id / "log.txt").read_text("utf-8", errors="replace").strip().splitlines()
        return lines[-1][:500] if lines else "the command ended without an answer"

    def _forget_old(self) -> None:
        folders = sorted(self._folder.iterdir(), key=lambda folder: folder.stat().st_mtime)
        for folder in folders[:-_MOST_KEPT]:
            shutil.rmtree(folder, ignore_errors=True)
            self._begun.pop(folder.name, None)

    @property
    def _folder(self) -> Path:
        return self.settings.home / "jobs"


def _of_run(run: DagsterRun, record: Any) -> dict[str, Any]:
    tags = run.tags
    first, last = tags.get("dagster/asset_partition_range_start"), tags.get("dagster/asset_partition_range_end")
    own = tags.get("dagster/partition")
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    return {
        "job_id": run.run_id,
        "kind": run.job_name,
        "status": _STATES.get(run.status.value, "running"),
        "dagster_status": run.status.value,
        "campaigns": [own] if own else [first] if first and first == last else [first, last] if first and last else [],
        "sources": assets,
        "started_at": _moment(record.start_time),
        "completed_at": _moment(record.end_time),
    }


def _steps(instance: DagsterInstance, run_id: str) -> dict[str, int]:
    """How many steps of a run succeeded and failed."""
    stats = instance.get_run_stats(run_id)
    return {"steps_succeeded": stats.steps_succeeded, "steps_failed": stats.steps_failed, "materializations": stats.materializations}


def _moment(seconds: float | None) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None

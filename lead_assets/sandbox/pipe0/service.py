"""pipe0: runs of pipes over records, synchronous and asynchronous.

Belongs here: the run's life, validation, records and fields. What each pipe finds is in `pipe0_pipes`. The wire format is the 0.0.x catalog's; error
bodies are not documented by the vendor and look like RFC 9457 here.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.chance import Dice
from lead_assets.sandbox.faults import InjectedFault
from lead_assets.sandbox.pipe0.pipes import CREDIT_NANOS, NO_RESULT, PIPES, Pipe, PipeOutcome, format_of, type_of
from lead_assets.sandbox.service import BadRequest, Service, ServiceCall, answer

MAX_RECORDS = 100
_UNLIMITED = 100_000
_PENDING_SHARE = 1 / 3
"""Share of a run's time before processing starts."""
_KEPT_RUNS = 200
"""Finished runs that can still be checked; the vendor keeps them for 21 days."""


@dataclass
class RunStep:
    """One pipe of a run, with its configuration applied."""

    pipe: Pipe
    config: dict[str, Any]
    outputs: dict[str, str]
    """Field of the pipe -> name in the record, for the outputs that are enabled."""
    inputs: dict[str, str]
    """Field of the pipe -> name in the record."""

    @property
    def config_hash(self) -> str:
        return "x" + Dice(self.pipe.id, repr(sorted(self.config.items(), key=str))).hex("config", 7)


@dataclass
class BegunRun:
    id: str
    environment: str
    steps: list[RunStep]
    records: list[dict[str, Any]]
    status: str = "pending"
    errors: list[dict[str, Any]] = field(default_factory=list)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None

    def body(self) -> dict[str, Any]:
        records = {
            str(record["id"]): {"id": record["id"], "fields": self.fields.get(str(record["id"])) or self._waiting(record)}
            for record in self.records
        }
        return {
            "id": self.id,
            "organization_id": "org_sandbox",
            "status": self.status,
            "order": [record["id"] for record in self.records],
            "field_definitions": {},
            "errors": self.errors,
            "records": records,
        }

    def _waiting(self, record: dict[str, Any]) -> dict[str, Any]:
        fields = _input_fields(record)
        for step in self.steps:
            for name, shown in step.outputs.items():
                fields.setdefault(shown, _field(name, None, self.status if self.status == "processing" else "pending", claimed=step))
        return fields


class Pipe0Service(Service):
    name = "pipe0"
    prefix = "/pipe0"

    def reset(self) -> None:
        for run in getattr(self, "_runs", {}).values():
            if run.timer:
                run.timer.cancel()
        self._runs: dict[str, BegunRun] = {}
        self._finished: deque[str] = deque()
        self._admitted: deque[tuple[float, int]] = deque()

    def routes(self) -> list[Route]:
        return [
            self.route("/v1/pipes/run/sync", self._run_sync, _pipe_ids),
            self.route("/v1/pipes/run", self._run, _pipe_ids),
            self.route("/v1/pipes/validate", self._validate, "validate"),
            self.route("/v1/pipes/check/{run_id}", self._check, "check", ("GET",)),
            self.route("/v1/pipes/cancel/{run_id}", self._cancel, "cancel"),
        ]

    def unauthorized(self, call: ServiceCall) -> Response:
        return _problem(401, "unauthorized", "Missing or invalid API key")

    def problem(self, status: int, call: ServiceCall) -> Response:
        return _problem(status, {429: "org-rate-limited", 503: "service-unavailable"}.get(status, f"http-{status}"), f"HTTP {status}")

    def too_fast(self, call: ServiceCall, retry_after: float) -> Response:
        response = _problem(429, "org-rate-limited", "Request rate exceeded")
        response.headers["retry-after"] = str(max(1, round(retry_after + 0.499)))
        return response

    async def _run_sync(self, call: ServiceCall) -> Response:
        run = self._new_run(call)
        headers = self._priority(len(run.records))
        if (late := self._late(call, "sync_timeout")) is not None:
            return self._timed_out(run, late, headers)
        self._finish(run)
        slow = self._late(call, "run_delay")
        await asyncio.sleep(slow.latency_ms / 1000 if slow is not None else 0)
        return answer(run.body(), headers=headers)

    def _run(self, call: ServiceCall) -> Response:
        run = self._new_run(call)
        headers = self._priority(len(run.records))
        if (late := self._late(call, "sync_timeout")) is not None:
            return self._timed_out(run, late, headers)
        slow = self._late(call, "run_delay")
        seconds = slow.latency_ms / 1000 if slow is not None else 0.0
        loop = asyncio.get_running_loop()

        def process() -> None:
            run.status = "processing"
            run.timer = loop.call_later(seconds * (1 - _PENDING_SHARE), self._finish, run)

        run.timer = loop.call_later(seconds * _PENDING_SHARE, process)
        return answer(run.body(), headers=headers)

    def _timed_out(self, run: BegunRun, late: InjectedFault, headers: dict[str, str]) -> Response:
        run.status = "processing"
        run.timer = asyncio.get_running_loop().call_later(late.latency_ms / 1000, self._finish, run)
        detail = f"The run did not finish in time. It goes on; poll /v1/pipes/check/{run.id}"
        body = {"type": "sync-timeout", "title": "Request Timeout", "status": 408, "detail": detail, "run_id": run.id}
        return answer(body, 408, headers)

    def _late(self, call: ServiceCall, kind: Literal["sync_timeout", "run_delay"]) -> InjectedFault | None:
        for operation in call.operations:
            fault = self.faults.hit(self.name, kind, operation, *self._texts(call))
            if fault is not None:
                return fault
        return None

    def _validate(self, call: ServiceCall) -> Response:
        self._plan(call)
        return answer({"valid": True})

    def _check(self, call: ServiceCall) -> Response:
        run = self._runs.get(call.path("run_id"))
        return answer(run.body()) if run else _problem(404, "not-found", "No run with this id")

    def _cancel(self, call: ServiceCall) -> Response:
        run = self._runs.get(call.path("run_id"))
        if run is None:
            return _problem(404, "not-found", "No run with this id")
        if run.status != "pending":
            return _problem(409, "conflict", f"The run is {run.status} and can no longer be canceled")
        if run.timer:
            run.timer.cancel()
        run.status = "canceled"
        return answer(run.body())

    # --- a run ---

    def _new_run(self, call: ServiceCall) -> BegunRun:
        environment, steps, records = self._plan(call)
        run = BegunRun(f"run{uuid.uuid4().hex[:21]}", environment, steps, records)
        self._runs[run.id] = run
        return run

    def _plan(self, call: ServiceCall) -> tuple[str, list[RunStep], list[dict[str, Any]]]:
        """Environment, steps and records of a request; raises BadRequest with the errors that pipe0 would name."""
        body = call.json()
        if not isinstance(body, dict):
            raise BadRequest(_problem(400, "invalid-json", "The body is not a JSON object"))
        errors: list[dict[str, Any]] = []
        pipes, records = body.get("pipes"), body.get("input")
        if not isinstance(pipes, list) or not pipes:
            errors.append({"code": "ValidationFailed", "message": "pipes must be a non-empty list", "path": ["pipes"]})
        if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
            errors.append({"code": "ValidationFailed", "message": "input must be a non-empty list of objects", "path": ["input"]})
        if errors:
            raise BadRequest(_problem(400, "validation-failed", "Invalid request", errors))
        assert isinstance(pipes, list)
        assert isinstance(records, list)
        if len(records) > MAX_RECORDS:
            errors.append({"code": "ValidationFailed", "message": f"at most {MAX_RECORDS} records", "path": ["input"]})
        records = [{**record, "id": record.get("id", Dice("record", str(index)).hex("id", 32))} for index, record in enumerate(records)]
        if len({str(record["id"]) for record in records}) < len(records):
            errors.append({"code": "IDConflict", "message": "ids must be unique", "path": ["input"]})
        steps = []
        for index, spec in enumerate(pipes):
            pipe = PIPES.get(str(spec.get("pipe_id"))) if isinstance(spec, dict) else None
            if pipe is None:
                errors.append({"code": "UnknownResolver", "message": "unknown pipe", "path": ["pipes", index, "pipe_id"]})
                continue
            step = _step(pipe, spec.get("config") or {})
            for group in pipe.needs:
                if not any(step.inputs.get(name, name) in record for name in group for record in records):
                    message = f"{pipe.id} needs {' or '.join(group)}"
                    errors.append({"code": "RequirementUnmet", "message": message, "path": ["pipes", index]})
            steps.append(step)
        shown = [name for step in steps for name in step.outputs.values()]
        errors += [
            {"code": "DuplicatePipeOutput", "message": f"several pipes write {name}", "path": ["pipes"]}
            for name in sorted({name for name in shown if shown.count(name) > 1})
        ]
        if errors:
            raise BadRequest(_problem(400, "validation-failed", errors[0]["message"], errors))
        environment = (body.get("config") or {}).get("environment") or "production"
        return environment, steps, records

    def _finish(self, run: BegunRun) -> None:
        """Do the work, and bill what was done."""
        run.status = "completed"
        for step in run.steps:
            if self.faults.hit(self.name, "task_failed", step.pipe.id):
                run.status = "failed"
                run.errors.append({"code": "CreditBalanceInsufficient", "message": "The credit balance does not cover this run"})
        for record in run.records:
            fields = _input_fields(record)
            for step in run.steps:
                self._resolve(run, step, record, fields)
            run.fields[str(record["id"])] = fields
        self._finished.append(run.id)
        if len(self._finished) > _KEPT_RUNS:
            self._runs.pop(self._finished.popleft(), None)

    def _resolve(self, run: BegunRun, step: RunStep, record: dict[str, Any], fields: dict[str, Any]) -> None:
        wanted = {name: shown for name, shown in step.outputs.items() if record.get(shown) in (None, "")}
        for name, shown in step.outputs.items():
            if name not in wanted:
                fields[shown] = {**_field(name, record[shown], "completed", claimed=step), "resolved_by": _resolver("input")}
        if not wanted:
            return
        given = {name: record.get(step.inputs.get(name, name)) for group in step.pipe.needs for name in group}
        subject = step.pipe.subject(given)
        if run.status == "failed":
            outcome = PipeOutcome("failed", reason=("TaskFailed", "The run failed"))
        elif not subject:
            outcome = PipeOutcome("skipped", reason=("RequirementUnmet", "A required input is missing"))
        else:
            outcome = self._marked(step.pipe, subject) or step.pipe.find(subject, step.config)
        for name, shown in wanted.items():
            value = outcome.values.get(name) if outcome.status == "completed" else None
            empty = value is None or value == [] or value == ""
            status = ("no_result" if empty else "completed") if outcome.status == "completed" else outcome.status
            reason = NO_RESULT if status == "no_result" else outcome.reason
            resolved = None if status in ("skipped", "failed") else run.environment
            fields[shown] = _field(name, None if empty else value, status, step, reason, resolved, subject or "")
        done = any(fields[shown]["status"] == "completed" for shown in wanted.values())
        worked = outcome.status in ("completed", "no_result")
        if run.environment == "production" and worked and (done or step.pipe.mode == "always"):
            self.meter.charge(self.name, step.pipe.id, subject or "", round(step.pipe.credits(step.config) * CREDIT_NANOS))

    def _marked(self, pipe: Pipe, subject: str) -> PipeOutcome | None:
        """The effect of a fault on this subject."""
        if self.faults.hit(self.name, "failed", pipe.id, subject):
            return PipeOutcome("failed", reason=("ProviderError", "The provider failed"))
        if self.faults.hit(self.name, "skipped", pipe.id, subject):
            return PipeOutcome("skipped", reason=("PipeConditionUnmet", "The condition of the pipe was not met"))
        if self.faults.hit(self.name, "no_result", pipe.id, subject):
            return PipeOutcome("no_result", reason=NO_RESULT)
        return None

    def _priority(self, records: int) -> dict[str, str]:
        """pipe0's reaction to load: not a refusal but a lower priority. Without a `capacity` fault, there is room for everything."""
        setting = self.faults.setting(self.name, "capacity")
        first = int(setting.rate) if setting and setting.rate else _UNLIMITED
        now = time.monotonic()
        self._admitted.append((now, records))
        while now - self._admitted[0][0] > 60:
            self._admitted.popleft()
        used = sum(count for _, count in self._admitted) if setting else records
        priority = 1 if used <= first else 2 if used <= 10 * first else 3
        left = {"1": first - used, "2": 10 * first - used, "3": _UNLIMITED - used}
        return {"x-task-priority": str(priority), **{f"x-p{level}-capacity": str(max(0, room)) for level, room in left.items()}}


def _pipe_ids(call: ServiceCall) -> tuple[str, ...]:
    body = call.json()
    pipes = body.get("pipes") if isinstance(body, dict) else None
    ids = dict.fromkeys(str(pipe.get("pipe_id")) for pipe in pipes if isinstance(pipe, dict)) if isinstance(pipes, list) else {}
    return tuple(name if name in PIPES else "unknown_pipe" for name in ids) or ("invalid",)


def _step(pipe: Pipe, config: dict[str, Any]) -> RunStep:
    outputs = {}
    chosen = config.get("output_fields") or {}
    for name, enabled in pipe.outputs.items():
        override = chosen.get(name) or {}
        if override.get("enabled", enabled):
            outputs[name] = override.get("alias") or name
    inputs = {name: entry["alias"] for name, entry in (config.get("input_fields") or {}).items() if entry.get("alias")}
    return RunStep(pipe, config, outputs, inputs)


def _input_fields(record: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in record.items():
        if name != "id":
            shown[name] = {
                **_field(name, value, "completed"),
                "claimed_by": {"ref": "input", "config_hash": None},
                "resolved_by": _resolver("input"),
            }
    return shown


def _resolver(ref: str, environment: str | None = None, config_hash: str | None = None, input_hash: str | None = None) -> dict[str, Any]:
    return {"ref": ref, "environment": environment, "config_hash": config_hash, "input_hash": input_hash}


def _field(
    name: str,
    value: Any,
    status: str,
    claimed: RunStep | None = None,
    reason: tuple[str, str] | None = None,
    environment: str | None = None,
    subject: str = "",
) -> dict[str, Any]:
    config_hash = claimed.config_hash if claimed and environment else None
    return {
        "type": type_of(name, value),
        "value": value,
        "status": status,
        "format": format_of(name),
        "reason": {"code": reason[0], "summary": reason[1], "message": f"{reason[1]}."} if reason else None,
        "widgets": {},
        "claimed_by": {"ref": claimed.pipe.id if claimed else None, "config_hash": config_hash},
        "resolved_by": _resolver(claimed.pipe.id, environment, config_hash, "x" + Dice(subject).hex("input", 4))
        if claimed and environment
        else None,
    }


def _problem(status: int, kind: str, detail: str, errors: list[dict[str, Any]] | None = None) -> Response:
    titles = {400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 409: "Conflict", 429: "Too Many Requests"}
    body = {"type": kind, "title": titles.get(status, "Error"), "status": status, "detail": detail}
    return answer({**body, "errors": errors} if errors else body, status)

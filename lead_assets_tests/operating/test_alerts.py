"""What is wrong is told once to each channel, through the real clients: Slack (the sandbox's), a mail server, a webhook."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiosmtpd.controller import Controller
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    DagsterInstance,
    DagsterRunStatus,
    MaterializeResult,
    RunsFilter,
    asset,
    job,
    materialize,
    op,
)
from standardwebhooks import Webhook

from lead_assets.core.settings import Settings
from lead_assets.ledger.ledger import Ledger
from lead_assets.operating.alerts import Looked, look_and_tell, message
from lead_assets.operating.freshness import FreshnessVerdict
from lead_assets.operating.incidents import Incident, open_circuits, used_budgets
from lead_assets.operating.rules import AlertRules, load_alerts
from lead_assets.operating.watch import report, report_changes
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import warehouse_of

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
SECRET = "whsec_" + "bGVhZC1hc3NldHMtdGVzdC1zZWNyZXQ="


class Clock:
    """A ledger's clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Watch:
    """One home, looked at again and again."""

    settings: Settings
    instance: DagsterInstance
    ledger: Ledger
    clock: Clock
    after: int | None = None
    rules: AlertRules = field(default_factory=lambda: load_alerts(Settings(env_file=None)))  # type: ignore[call-arg]

    def look(self, freshness: list[FreshnessVerdict] | None = None) -> Looked:
        looked = look_and_tell(
            self.settings,
            self.rules,
            self.instance,
            self.ledger,
            warehouse_of(self.settings),
            freshness or [],
            after=self.after,
            now=datetime.now(UTC),
        )
        self.after = looked.event
        return looked

    def check(self, passed: bool, partition: str, severity: AssetCheckSeverity = AssetCheckSeverity.ERROR) -> None:
        report(
            self.instance,
            AssetCheckEvaluation(
                asset_key=AssetKey(["identity", "leads"]),
                check_name="conserves",
                passed=passed,
                severity=severity,
                metadata={},
                partition=partition,
            ),
        )


@pytest.fixture
def watch(settings: Settings) -> Iterator[Watch]:
    clock = Clock()
    settings.home.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(settings.ledger_location, clock)
    # The history that `dev` uses: an ephemeral one can do what this one cannot.
    home = settings.home / "dagster"
    home.mkdir()
    history = f"{{module: lead_assets.kit.run_history, class: LocalRunHistory, config: {{base_dir: {home}}}}}"
    (home / "dagster.yaml").write_text(f"storage: {{custom: {history}}}\ntelemetry: {{enabled: false}}\n")
    with DagsterInstance.from_config(str(home)) as instance:
        yield Watch(settings, instance, ledger, clock)
    ledger.close()


def slacked(sandbox: Handle) -> list[str]:
    return [each["text"] for each in sandbox.state("slack")["messages"]]


def stale(campaign: str) -> FreshnessVerdict:
    return FreshnessVerdict(campaign, "stale", ("a drop is not routed yet",), NOW)


def test_an_incident_is_told_once_while_it_lasts_and_again_when_it_comes_back(watch: Watch, sandbox: Handle) -> None:
    assert watch.look([stale("fair")]).told == 1
    assert watch.look([stale("fair")]).told == 0
    (text,) = slacked(sandbox)
    assert text.splitlines() == [
        "fair is not fresh: a drop is not routed yet",
        "Next: See that the daemon runs and no run of it failed; then `lead-assets run --campaign fair`.",
        "http://127.0.0.1:3000/assets/routing/decisions?partition=fair",
    ]
    assert [each.key for each in watch.ledger.open_incidents()] == ["campaign_stale/fair"]
    assert watch.look([FreshnessVerdict("fair", "fresh")]).found == 0
    assert watch.ledger.open_incidents() == []
    assert watch.look([stale("fair")]).told == 1
    assert len(slacked(sandbox)) == 2


def test_many_of_a_kind_are_one_message(watch: Watch, sandbox: Handle) -> None:
    assert watch.look([stale(f"c{number:02}") for number in range(25)]).told == 25
    (text,) = slacked(sandbox)
    assert text.startswith("c00 is not fresh: a drop is not routed yet, and 24 more like it\n• c00")
    assert "• and 5 more: `lead-assets incidents` lists all" in text
    assert watch.look([stale(f"c{number:02}") for number in range(26)]).told == 1, "only the new one"


def test_a_check_is_an_incident_from_its_failure_until_it_passes(watch: Watch, sandbox: Handle) -> None:
    watch.check(passed=False, partition="old")
    watch.look()
    assert slacked(sandbox) == [], "what was before alerts were switched on is no news"
    watch.check(passed=False, partition="fair")
    watch.check(passed=True, partition="other")
    watch.check(passed=False, partition="quiet", severity=AssetCheckSeverity.WARN)
    assert watch.look().told == 1
    assert "Check conserves of identity/leads of fair failed" in slacked(sandbox)[0]
    assert {each.kind for each in watch.ledger.open_incidents()} == {"check_failed", "check_warned"}, (
        "warnings are listed, and told to nobody"
    )
    watch.check(passed=True, partition="fair")
    watch.check(passed=False, partition="again")
    watch.check(passed=True, partition="again")
    watch.look()
    assert [each.key for each in watch.ledger.open_incidents()] == ["check/identity/leads/conserves/quiet"]
    assert len(slacked(sandbox)) == 1, "one that failed and passed between two ticks is over"


@op
def breaks() -> None:
    raise ValueError("jane.doe@acme.example")


@job
def broken() -> None:
    breaks()


def test_a_failed_run_is_told_without_its_error_text(watch: Watch, sandbox: Handle) -> None:
    watch.look()
    assert not broken.execute_in_process(instance=watch.instance, raise_on_error=False).success
    (run,) = watch.instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.FAILURE]))
    assert (watch.look().told, watch.look().told) == (1, 0)
    (text,) = slacked(sandbox)
    assert text.startswith("A run of broken failed\n")
    assert text.endswith(f"/runs/{run.run_id}")
    assert "jane" not in text, "errors can hold personal data"


def test_a_budget_and_a_circuit(watch: Watch, sandbox: Handle) -> None:
    watch.ledger.set_budget("total", 10_000_000, period="all")
    assert watch.look().found == 0
    for _ in range(8):
        watch.ledger.note_failure("apollo")
    looked = watch.look()
    assert (looked.found, looked.told) == (1, 1)
    assert "apollo failed too often in a row" in slacked(sandbox)[0]
    (budget,) = watch.ledger.budgets()
    nearly = type(budget)("total", "", "all", 10_000_000, 7_000_000, 900_000, 100_000)
    (incident,) = used_budgets([nearly], 0.8)
    assert incident.what == "80% of the budget 'total' (all, $10.00) is used"
    assert not list(used_budgets([nearly], 0.81))
    (closed,) = open_circuits(watch.ledger.circuits())
    assert closed.key == "circuit_open/apollo"


def test_slack_that_refuses_is_tried_again_and_said(watch: Watch, sandbox: Handle) -> None:
    sandbox.set_fault("slack", "ok_false", body="channel_not_found")
    looked = watch.look([stale("fair")])
    assert (looked.told, looked.problems) == (0, ("channel 'ops': slack: channel_not_found (channel #lead-ops)",))
    sandbox.clear_faults()
    assert watch.look([stale("fair")]).told == 1


def test_a_process_that_died_while_telling_does_not_silence_the_alert(watch: Watch, sandbox: Handle) -> None:
    said = ("campaign_stale/fair", "ops", "campaign_stale", "{}")
    assert watch.ledger.claim_incidents([said]) == {said[:2]}
    assert watch.look([stale("fair")]).told == 0, "another process may be telling it right now"
    watch.clock.now += timedelta(minutes=6)
    assert watch.look([stale("fair")]).told == 1
    assert watch.look([stale("fair")]).told == 0


def test_without_a_token_the_incident_is_listed_and_the_tick_says_what_is_missing(watch: Watch) -> None:
    watch.settings = watch.settings.model_copy(update={"sandbox_url": None, "slack_bot_token": None})
    looked = watch.look([stale("fair")])
    assert looked.problems == ("channel 'ops': set SLACK_BOT_TOKEN, or remove the channel in rules/alerts.yaml",)
    assert [each.key for each in watch.ledger.open_incidents()] == ["campaign_stale/fair"]


def rules_to(channel: dict[str, Any]) -> AlertRules:
    shipped = load_alerts(Settings(env_file=None)).model_dump(exclude_unset=True)  # type: ignore[call-arg]
    return AlertRules.model_validate({**shipped, "channels": {"ops": channel}})


class _Mailbox:
    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope)
        return "250 OK"


def test_by_e_mail(watch: Watch) -> None:
    mailbox = _Mailbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        watch.settings = Settings(home=watch.settings.home, smtp_url=f"smtp://127.0.0.1:{port}", env_file=None)  # type: ignore[call-arg, arg-type]
        watch.rules = rules_to({"email": ["ops@acme-corp.com"]})
        assert watch.look([stale("fair")]).told == 1
    finally:
        server.stop()
    (mail,) = mailbox.mails
    assert mail.rcpt_tos == ["ops@acme-corp.com"]
    assert b"Subject: fair is not fresh" in mail.content
    watch.look([FreshnessVerdict("fair", "fresh")])
    looked = watch.look([stale("fair")])
    assert (looked.told, looked.problems) == (0, ("channel 'ops': e-mail: ConnectionRefusedError at 127.0.0.1",))


@pytest.fixture
def hook() -> Iterator[Callable[[], tuple[str, list[tuple[dict[str, str], bytes]]]]]:
    received: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(500 if self.path.endswith("broken") else 204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield lambda: (f"http://127.0.0.1:{server.server_port}/hook/secret-token", received)
    server.shutdown()
    server.server_close()


def test_by_a_signed_webhook(watch: Watch, hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url, received = hook()
    monkeypatch.setenv("ONCALL_URL", url)
    monkeypatch.setenv("ONCALL_URL_SECRET", SECRET)
    watch.rules = rules_to({"webhook": "ONCALL_URL"})
    assert watch.look([stale("fair")]).told == 1
    (headers, body) = received[0]
    said = Webhook(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    assert said["title"] == "fair is not fresh: a drop is not routed yet"
    monkeypatch.setenv("ONCALL_URL", url + "/broken")
    watch.look([FreshnessVerdict("fair", "fresh")])
    assert watch.look([stale("fair")]).problems == ("channel 'ops': webhook ONCALL_URL: HTTP 500",), "the URL is a secret"


def test_a_message_is_short_and_has_the_same_key_however_it_is_ordered() -> None:
    one = Incident("a", "run_failed", "g", "A failed", "Look", "/runs/a")
    two = Incident("b", "run_failed", "g", "B failed", "Look", "/runs/b")
    assert message([one, two], "https://dagster.example/").key == message([two, one], "https://dagster.example").key
    assert message([one], "https://dagster.example/").link == "https://dagster.example/runs/a"


def test_a_run_that_a_blocking_check_ended_is_told_as_the_check(watch: Watch, sandbox: Handle, tmp_path: Path) -> None:
    @asset(check_specs=[AssetCheckSpec("blocks", asset="gated", blocking=True)])
    def gated() -> MaterializeResult:
        return MaterializeResult(check_results=[AssetCheckResult(passed=False)])

    watch.look()
    assert not materialize([gated], instance=watch.instance, raise_on_error=False).success
    watch.look()
    (text,) = slacked(sandbox)
    assert text.startswith("Check blocks of gated failed")
    assert "What is below it in the graph was not made." in text


def test_what_is_said_survives_in_the_list(watch: Watch) -> None:
    watch.look([stale("fair")])
    (listed,) = watch.ledger.open_incidents()
    assert orjson.loads(listed.said)["what"] == "fair is not fresh: a drop is not routed yet"


def test_the_check_fresh_shows_each_change_and_nothing_else(watch: Watch) -> None:
    key = AssetCheckKey(AssetKey(["routing", "decisions"]), "fresh")

    def shown() -> list[tuple[Any, str | None, bool]]:
        records = watch.instance.event_log_storage.get_asset_check_execution_history(key, limit=100)
        verdicts = [record.event.dagster_event.asset_check_evaluation_data for record in reversed(records)]  # type: ignore[union-attr]
        return [(each.asset_check_key == key, each.partition, each.passed) for each in verdicts]

    known = report_changes(watch.instance, [stale("a"), FreshnessVerdict("b", "fresh")], [])
    assert (known, shown()) == (["a"], [(True, "a", False)])
    known = report_changes(watch.instance, [stale("a"), stale("b")], known)
    known = report_changes(watch.instance, [FreshnessVerdict("a", "fresh"), stale("b")], known)
    known = report_changes(watch.instance, [stale("a"), stale("b")], known)
    assert shown() == [(True, "a", False), (True, "b", False), (True, "a", True), (True, "a", False)]
    assert watch.look().found == 0, "told as campaign_stale"

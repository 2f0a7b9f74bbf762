"""Deliveries to all destinations while a fifth of the requests fail and the worker is killed again and again; and the pace at HubSpot.

    python -m benchmarks.deliveries [--leads 10000] [--kills 1000] [--seed 1]
    python -m benchmarks.deliveries --pace [--seconds 20]
    python -m benchmarks.deliveries --again [--leads 10000]

Each life is a process that drains the outbox and is killed (SIGKILL) after a random number of its journal's steps and a moment more, so that kills are
spread over all the work however fast the machine is; three in ten live beside another. Lives are forked from a process that has delivered before, so that they
work from their first moment. Then everything must have arrived, nothing twice where the vendor drops repeats or upserts, and at Slack and in HubSpot's notes no
more extra messages than are shown as uncertain.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lead_assets.core.settings import Settings
from lead_assets.delivery import planning
from lead_assets.delivery.dispatch import drain
from lead_assets.delivery.rules import DeliveryRules
from lead_assets.ledger import Ledger, outbox_steps
from lead_assets.sandbox import Handle, start
from lead_assets.vendors.sending import OwnerContact, RoutedLead
from lead_assets_tests.delivery.sends import briefed, lead, rules

EVERY = ("hubspot", "slack", "segment", "sendgrid", "salesforce", "webhook", "file")
FAULTS = (
    ("status", {"status": 500}),
    ("status", {"status": 429, "headers": {"retry-after": "0.05"}}),
    ("drop_before", {}),
    ("drop_after", {}),
)
"""Each strikes one request in twenty."""


_STEPS = 3
"""Fewer steps of the journal than a lead takes at all destinations: claims, departures and settlements."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, start() as sandbox:
        settings = Settings(home=Path(folder) / "home", sandbox_url=sandbox.url)
        if options.pace:
            said = pace(settings, sandbox, options.seconds)
        elif options.again:
            said = again(settings, sandbox, options.leads)
        else:
            said = rehearse(settings, sandbox, leads=options.leads, kills=options.kills, seed=options.seed)
    print(json.dumps({"benchmark": "deliveries", **said}))
    return 0 if said["ok"] else 1


def rehearse(settings: Settings, sandbox: Handle, *, leads: int, kills: int, seed: int) -> dict[str, Any]:
    """Plan for `leads` leads, kill `kills` workers, let the last one finish, and compare with what the sandbox has."""
    chance = random.Random(seed)
    own = rules(
        *EVERY,
        retry_after=["1s"] * 60,
        slack={"digest_above": 1_000_000},
        hubspot={"fields": {"firstname": "first_name", "jobtitle": "title"}},
    )
    everybody = made_up(leads)
    _warm(settings, sandbox, own)
    ledger = Ledger(settings.ledger_location)
    began = time.monotonic()
    planning.plan(ledger, planning.to_send(everybody, own, settings), {"c1"})
    planned = time.monotonic() - began
    ledger.close()
    for name in EVERY[:-1]:
        for number, (kind, fields) in enumerate(FAULTS):
            sandbox.set_fault(name, kind, probability=0.05, seed=seed * 100 + number, **fields)
    killed = 0
    steps = max(2, 2 * _STEPS * leads // kills)
    alive: list[_Life] = []
    while killed < kills:
        alive.append(_Life(settings, own))
        if len(alive) == 1 and chance.random() < 0.3:
            continue
        victim = alive.pop(chance.randrange(len(alive)))
        victim.await_steps(chance.randrange(1, steps))
        time.sleep(chance.random() * 0.02)
        ended = not victim.kill()
        killed += not ended
        if ended and not _due(settings):
            break
    for each in alive:
        each.join()
    ledger = Ledger(settings.ledger_location)
    confirmed_before = sum(row["state"] == "confirmed" for row in ledger.outbox.entries(["c1"]))
    give_up = time.monotonic() + 600
    while (left := _left(ledger)) and time.monotonic() < give_up:
        ledger.resume()
        drain(ledger, settings, own, patience=2.0)
    return {
        **_compared(ledger, settings, sandbox, everybody),
        "plan_s": round(planned, 1),
        "seconds": round(time.monotonic() - began, 1),
        "killed": killed,
        "confirmed_by_the_killed": confirmed_before,
    } | ({"left": left} if left else {})


def made_up(count: int) -> list[RoutedLead]:
    """Leads of twenty owners with a channel each; one in ten is nurtured, and one in five has a brief."""
    found = []
    for n in range(1, count + 1):
        owner = f"owner.{n % 20}"
        each = briefed(n, owner=owner) if n % 5 == 0 else lead(n, owner=owner, path="nurture" if n % 10 == 1 else "route")
        found.append(replace(each, contact=OwnerContact(email=f"{owner}@sandbox.example", slack=f"C{n % 20}")))
    return found


def again(settings: Settings, sandbox: Handle, leads: int) -> dict[str, Any]:
    """Requests and records of a second run with nothing changed, and of a third with one field changed on ten leads."""
    own = rules("hubspot", "segment", "salesforce", "sendgrid", "slack", slack={"digest_above": 20})
    everybody = made_up(leads)
    ledger = Ledger(settings.ledger_location)
    counts: dict[str, Any] = {}
    for turn, those in (("first", everybody), ("second", everybody), ("third", [*map(_promoted, everybody[:10]), *everybody[10:]])):
        began, before = time.monotonic(), _requests(sandbox)
        planned = planning.plan(ledger, planning.to_send(those, own, settings), {"c1"})
        drain(ledger, settings, own, patience=3.0)
        counts[turn] = {
            "requests": _requests(sandbox) - before,
            "records": planned.new + planned.changed,
            "s": round(time.monotonic() - began, 1),
        }
    updates = [len(json.loads(each["body"])["inputs"]) for each in sandbox.requests("hubspot") if "update" in each["path"] and each["body"]]
    return {**counts, "hubspot_updated": sum(updates), "ok": counts["second"]["requests"] == 0 and sum(updates) == 10}


def pace(settings: Settings, sandbox: Handle, seconds: float) -> dict[str, Any]:
    """The share of HubSpot's 190 requests in 10 s that a backlog of contacts uses, and the 429s that it gets."""
    sandbox.set_fault("hubspot", "rate_limit", rate=19, window=10)
    own = rules("hubspot", hubspot={"owner": False, "rate": {"requests": 190, "seconds": 10}})
    ledger = Ledger(settings.ledger_location)
    planning.plan(ledger, planning.to_send([lead(n) for n in range(1, int(seconds * 1_900))], own, settings), {"c1"})
    drain(ledger, settings, own)
    times = sorted(each["at"] for each in sandbox.requests("hubspot"))
    refused = sum(each["status"] == 429 for each in sandbox.requests("hubspot"))
    share = (len(times) - 1) / (times[-1] - times[0]) / 19
    return {"requests": len(times), "share_of_limit": round(share, 3), "refused": refused, "ok": refused == 0 and share >= 0.95}


def _promoted(each: RoutedLead) -> RoutedLead:
    return replace(each, facts={**each.facts, "title": "CEO"})


def _warm(settings: Settings, sandbox: Handle, own: DeliveryRules) -> None:
    """Deliver something from another home, so that all is loaded."""
    other = settings.model_copy(update={"home": settings.home / "warm"})
    ledger = Ledger(other.ledger_location)
    planning.plan(ledger, planning.to_send([*made_up(12), lead(13, path="nurture")], own, other), {"c1"})
    drain(ledger, other, own, patience=0.5)
    ledger.close()
    sandbox.reset()


class _Life:
    """A worker of its own, which tells each step of its journal."""

    def __init__(self, settings: Settings, own: DeliveryRules) -> None:
        self._told, telling = os.pipe()
        self._pid = os.fork()
        if self._pid:
            os.close(telling)
            return
        try:
            for name in ("claim", "depart", "settle"):
                setattr(outbox_steps, name, _telling(getattr(outbox_steps, name), telling))
            drain(Ledger(settings.ledger_location), settings, own, patience=0.3)
        finally:
            os._exit(0)

    def await_steps(self, count: int) -> None:
        """Wait until it has taken so many steps, or has ended."""
        while count > 0 and (told := os.read(self._told, count)):
            count -= len(told)

    def kill(self) -> bool:
        """Returns False if it had ended."""
        os.kill(self._pid, signal.SIGKILL)
        return os.WIFSIGNALED(self.join())

    def join(self) -> int:
        os.close(self._told)
        return os.waitpid(self._pid, 0)[1]


def _telling(step: Callable[..., Any], pipe: int) -> Callable[..., Any]:
    def told(*arguments: Any) -> Any:
        os.write(pipe, b".")
        return step(*arguments)

    return told


def _due(settings: Settings) -> bool:
    """Whether anything is left to be done."""
    ledger = Ledger(settings.ledger_location)
    try:
        return bool(_left(ledger))
    finally:
        ledger.close()


def _left(ledger: Ledger) -> dict[str, int]:
    """Entries that are neither confirmed nor dead, nor due in a month."""
    found: dict[str, int] = {}
    for row in ledger.outbox.entries(["c1"]):
        if row["state"] not in ("confirmed", "dead") and row["kind"] != "revisit":
            found[f"{row['destination']}/{row['kind']}/{row['state']}"] = (
                found.get(f"{row['destination']}/{row['kind']}/{row['state']}", 0) + 1
            )
    return found


def _compared(ledger: Ledger, settings: Settings, sandbox: Handle, everybody: list[RoutedLead]) -> dict[str, Any]:
    entries = [row for row in ledger.outbox.entries(["c1"]) if row["kind"] != "revisit"]
    uncertain = {
        name: sum(row["uncertain"] for row in entries if (row["destination"], row["kind"]) == name)
        for name in (("slack", "lead"), ("hubspot", "note"))
    }
    routed = [each for each in everybody if each.to_owner]
    hubspot, slack = sandbox.state("hubspot"), sandbox.state("slack")["messages"]
    events = [json.loads(event["body"]) for event in sandbox.state("webhook")["events"].values()]
    files = [json.loads(line) for path in (settings.home / "deliveries").rglob("*.ndjson") for line in path.read_bytes().splitlines()]
    keys = [message["metadata"]["event_payload"]["key"] for message in slack]
    notes = [(note["contacts"][0], note["properties"]["hs_timestamp"]) for note in hubspot["notes"]]
    wanted = {
        "hubspot_contacts": (len(everybody), len(hubspot["contacts"])),
        "hubspot_notes": (sum("brief" in each.facts for each in routed), len(set(notes))),
        "slack": (len(routed), len(set(keys))),
        "segment": (2 * len(everybody), len(sandbox.state("segment")["events"])),
        "sendgrid": (len(everybody) - len(routed), len(sandbox.state("sendgrid")["contacts"])),
        "salesforce": (len(everybody), len(sandbox.state("salesforce")["records"])),
        "webhook": (len(everybody), len({event["data"]["email"] for event in events})),
        "file": (len(everybody), len({line["lead_id"] for line in files})),
    }
    missing = {name: want - has for name, (want, has) in wanted.items() if want != has}
    extra = {"slack": len(keys) - len(set(keys)), "hubspot_notes": len(notes) - len(set(notes))}
    twice = {"webhook": len(events) - len(everybody), "file": len(files) - len(everybody)}
    shown = {"slack": uncertain["slack", "lead"], "hubspot_notes": uncertain["hubspot", "note"]}
    dead = sum(row["state"] == "dead" for row in entries)
    ok = not missing and not dead and not any(twice.values()) and all(extra[name] <= shown[name] for name in extra)
    return {
        "missing": missing,
        "twice": twice,
        "extra": extra,
        "shown_as_uncertain": shown,
        "dead": dead,
        "requests": _requests(sandbox),
        "ok": ok,
    }


def _requests(sandbox: Handle) -> int:
    return sum(operation["requests"] for service in sandbox.meter().values() for operation in service.values())


if __name__ == "__main__":
    raise SystemExit(main())

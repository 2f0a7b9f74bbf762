"""What is answered with 202 is in the landing zone, once; everything else is named."""

from __future__ import annotations

import asyncio
import errno
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from lead_assets.core.settings import Settings
from lead_assets.intake.drops import read_drops
from lead_assets.ledger.opened import ledger_of, opened_ledger
from lead_assets.service import journal, receiving
from lead_assets.service.journal import Journal, Received
from lead_assets.service.receiving import NotStored, Receiver
from lead_assets_tests.service.conftest import Service, landed

LEAD = {"email": "ada@acme.example", "full_name": "Ada Lovelace", "company": "Acme"}


@pytest.fixture(scope="module")
def sender(service: Service) -> httpx.Client:
    return service.client("webhook")


def _wait_for(service: Service, text: bytes) -> bytes:
    for _ in range(200):
        found = [data for data in (path.read_bytes() for path in landed(service.settings)) if text in data]
        if found:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"{text!r} was not landed")


def test_a_lead_is_answered_with_its_id_and_drop_and_is_landed(sender: httpx.Client, service: Service) -> None:
    answer = sender.post("/webhooks/lead", json=LEAD)
    said = answer.json()
    assert answer.status_code == 202
    assert said["lead_id"].startswith("ld_")
    assert said["status_url"] == f"/admin/leads/{said['lead_id']}"
    assert said["leads"] == 1
    assert b"ada@acme.example" in _wait_for(service, b"ada@acme.example")
    assert any(said["drop_id"] in path.name for path in landed(service.settings))


@pytest.mark.parametrize(
    ("body", "kind", "leads"),
    [
        (b'[{"email": "b1@acme.example"}, {"email": "b2@acme.example"}]', "application/json", 2),
        (b'{\n  "email": "pretty@acme.example"\n}', "application/json; charset=utf-8", 1),
        (b"Email,Company\nc1@acme.example,Acme\nc2@acme.example,Acme\n", "text/csv", 2),
        (b"email=form%40acme.example&company=Acme", "application/x-www-form-urlencoded", 1),
        (b'{"email": "n1@acme.example"}\n{"email": "n2@acme.example"}\n', "application/x-ndjson", 2),
    ],
)
def test_every_shape_is_received_and_can_be_read_where_it_is_landed(
    sender: httpx.Client, service: Service, body: bytes, kind: str, leads: int
) -> None:
    answer = sender.post("/webhooks/shop", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["leads"]) == (202, leads)


def test_an_event_is_received_once(sender: httpx.Client) -> None:
    event = {"event_id": "evt_1", "email": "once@acme.example"}
    first, again = (sender.post("/webhooks/lead", json=event) for _ in range(2))
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["status"] == "duplicate_ignored"
    assert again.json()["lead_id"] == first.json()["lead_id"]
    assert sender.post("/webhooks/other", json=event).status_code == 202


def test_a_body_without_a_lead_names_the_field_and_is_kept(sender: httpx.Client, service: Service) -> None:
    answer = sender.post("/webhooks/lead", json={"email": "nobody-at-all", "company": "Kept"})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "email"]
    _wait_for(service, b"nobody-at-all")


def test_what_cannot_be_received_says_why(service: Service, sender: httpx.Client) -> None:
    assert service.client().post("/webhooks/lead", json=LEAD).status_code == 401
    assert service.client("read").post("/webhooks/lead", json=LEAD).status_code == 403
    assert sender.post("/webhooks/lead", content=b"x", headers={"Content-Type": "image/png"}).status_code == 415
    assert sender.post("/webhooks/lead", content=b" " * (17 << 20)).status_code == 413
    assert sender.post("/webhooks/..%2f..%2fetc", json=LEAD).status_code in (404, 422)
    assert service.client().post(f"/webhooks/lead?key={service.keys['webhook']}", json=LEAD).status_code == 400


def test_a_source_with_a_secret_is_believed_by_its_signature_only(
    service: Service, sender: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib
    import hmac

    monkeypatch.setenv("LEAD_ASSETS_RECEIVE_SECRET_META", "of-this-source")
    body = b'{"email": "signed@acme.example"}'
    signature = "sha256=" + hmac.new(b"of-this-source", body, hashlib.sha256).hexdigest()
    nobody = service.client()
    assert nobody.post("/webhooks/meta", content=body, headers={"X-Hub-Signature-256": signature}).status_code == 202
    assert nobody.post("/webhooks/meta", content=body + b" ", headers={"X-Hub-Signature-256": signature}).status_code == 401
    assert sender.post("/webhooks/meta", content=body).status_code == 401


def test_only_health_is_open_and_a_request_id_is_echoed(service: Service) -> None:
    nobody = service.client()
    assert nobody.get("/health", headers={"X-Request-ID": "r-1"}).headers["x-request-id"] == "r-1"
    assert len(nobody.get("/health").headers["x-request-id"]) == 32
    for path in ("/ready", "/metrics", "/docs", "/openapi.json"):
        assert nobody.get(path).status_code == 401
        assert service.client("read").get(path).status_code == 200


def test_what_was_done_with_a_key_is_in_the_log(service: Service) -> None:
    with opened_ledger(service.settings) as ledger:
        key, text = ledger.keys.create("logged", ["webhook"])
        httpx.post(f"{service.url}/webhooks/lead", json=LEAD, headers={"X-API-Key": text})
        for _ in range(100):
            if uses := ledger.keys.uses(key.key_id):
                break
            time.sleep(0.05)
        assert [(use.action, use.status) for use in uses] == [("POST /webhooks/{source}", 202)]


def test_a_revoked_expired_or_hurried_key_is_refused(service: Service) -> None:
    with opened_ledger(service.settings) as ledger:
        slow = ledger.keys.create("slow", ["read"], rate_per_second=1)[1]
        gone, text = ledger.keys.create("gone", ["read"])
        ledger.keys.revoke(gone.key_id)
    answers = [httpx.get(f"{service.url}/metrics", headers={"X-API-Key": slow}).status_code for _ in range(3)]
    assert 429 in answers
    assert httpx.get(f"{service.url}/metrics", headers={"X-API-Key": text}).status_code == 401
    assert httpx.get(f"{service.url}/metrics", headers={"X-API-Key": text[:-1] + "x"}).status_code == 401


def test_a_journal_of_a_dead_process_is_landed_without_its_torn_end(settings: Settings) -> None:
    opened = Journal(settings.home / "receiving")
    opened.append([Received("lead", b'{"email": "safe@acme.example"}', 1, event_id="e1")])
    opened.close()
    with opened.path.open("ab") as file:
        file.write(b'{"source":"lead","campaign":null,"event_id":null,"lead_id":null,"at":2,"size":400}\n{"email"')
    _run(Receiver(settings, ledger_of(settings)))
    assert [path.read_bytes() for path in landed(settings)] == [b'{"email": "safe@acme.example"}\n']
    with opened_ledger(settings) as ledger:
        assert ledger.received([("lead", "e1")])


def test_a_journal_of_a_living_process_is_left_alone(settings: Settings) -> None:
    opened = Journal(settings.home / "receiving")
    opened.append([Received("lead", b'{"email": "mine@acme.example"}', 1)])
    _run(Receiver(settings, ledger_of(settings)))
    assert landed(settings) == []
    opened.close()


def test_a_full_disk_is_said_and_what_came_before_stays(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def received() -> None:
        receiver = Receiver(settings, ledger_of(settings))
        work = asyncio.create_task(receiver.work())
        await receiver.take(b'{"email": "before@acme.example"}', source="lead")

        def full(_file: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(journal.os, "fdatasync", full)
            with pytest.raises(NotStored):
                await receiver.take(b'{"email": "lost@acme.example"}', source="lead")
        await receiver.take(b'{"email": "after@acme.example"}', source="lead")
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(received())
    data = b"".join(path.read_bytes() for path in landed(settings))
    assert b"before@" in data
    assert b"after@" in data
    assert b"lost@" not in data


def test_a_body_that_cannot_be_read_refuses_no_other(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def reading(drops: Any, **options: Any) -> Any:
        given = list(drops)
        if any(b"poison" in body for body, _ in given):
            raise KeyError
        return read_drops(given, **options)

    monkeypatch.setattr(receiving, "read_drops", reading)

    async def received() -> list[Any]:
        receiver = Receiver(settings, ledger_of(settings))
        bodies = [b'{"email": "one@acme.example"}', b'{"email": "poison@acme.example"}', b'{"email": "two@acme.example"}']
        taking = [asyncio.create_task(receiver.take(body, source="lead")) for body in bodies]
        await asyncio.sleep(0)
        work = asyncio.create_task(receiver.work())
        answers = await asyncio.gather(*taking, return_exceptions=True)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return answers

    one, bad, two = asyncio.run(received())
    assert isinstance(bad, NotStored)
    assert (one.leads, two.leads) == (1, 1)
    (file,) = landed(settings)
    assert file.read_bytes() == b'{"email": "one@acme.example"}\n{"email": "two@acme.example"}\n'


def test_a_thousand_bodies_are_one_file(settings: Settings) -> None:
    async def received() -> None:
        receiver = Receiver(settings, ledger_of(settings))
        work = asyncio.create_task(receiver.work())
        bodies = (b'{"email": "n%d@acme.example"}' % number for number in range(receiving.GATHERED))
        await asyncio.gather(*(receiver.take(body, source="lead") for body in bodies))
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    asyncio.run(received())
    files = landed(settings)
    assert len(files) < 20, "one for the second in which they came, however many they are"
    assert sum(file.read_bytes().count(b"\n") for file in files) == receiving.GATHERED


def _run(receiver: Receiver) -> None:
    async def work() -> None:
        task = asyncio.create_task(receiver.work())
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(work())


def test_landing_files_are_complete_when_first_seen(settings: Settings) -> None:
    from hashlib import sha256

    from lead_assets.stores.objects import open_objects

    names = journal.land(
        "20261120T000000-abc",
        [Received("lead", b'{"a":\n1}', 1), Received("lead", b"x,y\n", 1, campaign="C 1")],
        open_objects(settings.landing_location),
    )
    for name in names:
        data = (Path(settings.landing_location) / name).read_bytes()
        assert name.endswith(f"-{sha256(data).hexdigest()[:16]}.ndjson")
    assert [name.count("/") for name in names] == [1, 2]

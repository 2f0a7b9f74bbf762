"""Campaigns from the campaign API become drops: all pages, once, with the real client against the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.intake import campaign_api
from lead_assets.intake.campaign_api import Synced, sync
from lead_assets.intake.ingest import IngestedDrop
from lead_assets.intake.landing import landing_of, take_these
from lead_assets.intake.read import read_campaigns
from lead_assets.sandbox import Handle, start
from lead_assets.stores.archive import Archive

_FIXTURE = Path(__file__).parents[2] / "fixtures" / "campaign_api.json"
_SENT = {campaign["id"]: campaign["leads"] for campaign in json.loads(_FIXTURE.read_text())["campaigns"]}


@pytest.fixture
def archive(settings: Settings) -> Archive:
    return Archive(settings.archive_location)


def _sync(settings: Settings, archive: Archive) -> Synced:
    return sync(settings, archive, first_wait=0.001)


def _take_all(settings: Settings, archive: Archive) -> list[IngestedDrop]:
    return take_these(settings, archive, [entry.name for entry in landing_of(settings).entries()])


def test_every_lead_of_every_campaign_is_dropped_as_the_vendor_sent_it(settings: Settings, archive: Archive) -> None:
    synced = _sync(settings, archive)
    _take_all(settings, archive)

    assert synced.metadata() | {"failures": ""} == {
        "campaigns": len(_SENT),
        "leads": sum(map(len, _SENT.values())),
        "dropped": len(_SENT),
        "unchanged": 0,
        "empty": 0,
        "failures": "",
    }
    assert archive.campaigns() == sorted(_SENT)
    read = read_campaigns(archive, archive.campaigns())
    for key, leads in _SENT.items():
        payloads = [json.loads(row["payload"]) for row in read.raw_leads.iter_rows(named=True) if row["campaign_id"] == key]
        assert sorted(payloads, key=lambda lead: lead["lead_id"]) == sorted(leads, key=lambda lead: lead["lead_id"])


def test_a_second_sync_drops_nothing(settings: Settings, archive: Archive) -> None:
    _sync(settings, archive)
    assert _sync(settings, archive).dropped == []
    _take_all(settings, archive)
    for path in Path(settings.landing_location).rglob("*.ndjson"):
        path.unlink()

    again = _sync(settings, archive)
    assert (again.dropped, again.unchanged) == ([], list(_SENT))


def test_all_pages_are_fetched(tmp_path: Path) -> None:
    leads = [
        {"lead_id": f"l{number}", "agent_id": "a", "campaign_id": "big", "name": "N", "email": f"p{number}@acme.example"}
        for number in range(120)
    ]
    campaigns = [{"id": "big", "name": "Big", "leads": leads}, {"id": "none yet", "name": "Empty", "leads": []}]
    (tmp_path / "campaigns.json").write_text(json.dumps({"campaigns": campaigns}))
    with start(campaigns=tmp_path / "campaigns.json") as sandbox:
        settings = Settings(home=tmp_path / "home", sandbox_url=sandbox.url)
        archive = Archive(settings.archive_location)
        synced = _sync(settings, archive)
        (drop,) = _take_all(settings, archive)

    assert drop.campaigns == {"big": 120}
    assert len(synced.empty) == 1


def test_what_may_pass_is_tried_again(settings: Settings, archive: Archive, sandbox: Handle) -> None:
    sandbox.set_fault("aturiya", "status", status=503, times=2)
    sandbox.set_fault("aturiya", "malformed_json", operation="leads", times=1)

    assert len(_sync(settings, archive).dropped) == len(_SENT)


def test_a_campaign_that_cannot_be_fetched_does_not_cost_the_others(settings: Settings, archive: Archive, sandbox: Handle) -> None:
    bad, good = list(_SENT)
    sandbox.set_fault("aturiya", "status", operation="leads", status=500, match=bad)
    synced = _sync(settings, archive)

    assert [path.split("/")[1] for path in synced.dropped] == [good]
    assert list(synced.failures) == [bad]
    assert "aturiya leads" in synced.failures[bad]


@pytest.mark.parametrize(("status", "kind"), [(401, "auth"), (403, "auth"), (402, "quota"), (404, "permanent"), (422, "permanent")])
def test_what_cannot_pass_is_not_tried_again(settings: Settings, archive: Archive, sandbox: Handle, status: int, kind: str) -> None:
    sandbox.set_fault("aturiya", "status", status=status)
    with pytest.raises(ProviderError) as raised:
        _sync(settings, archive)

    assert (raised.value.kind, raised.value.status) == (kind, status)
    assert len(sandbox.requests("aturiya")) == 1


def test_an_answer_that_is_not_the_wire_format_is_said_so(settings: Settings, archive: Archive, sandbox: Handle) -> None:
    for body in ('{"data": {"id": 1}}', "[]", '{"campaigns": []}'):
        sandbox.clear_faults()
        sandbox.set_fault("aturiya", "status", status=200, body=body)
        with pytest.raises(ProviderError) as raised:
            _sync(settings, archive)
        assert raised.value.kind == "contract"


def test_a_missing_credential_names_its_variable(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, aturiya_user_id="u")
    with pytest.raises(ValueError, match="ATURIYA_BEARER_TOKEN"):
        sync(settings, Archive(settings.archive_location))


def test_a_drop_appears_whole_or_not_at_all(settings: Settings, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        write(self, data[: len(data) // 2])
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="disk full"):
            _sync(settings, archive)
    assert _take_all(settings, archive) == []
    assert len(campaign_api.sync(settings, archive).dropped) == len(_SENT)

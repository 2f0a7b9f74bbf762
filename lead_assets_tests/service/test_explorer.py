"""The explorer's pages, over a real server: escaped, masked, signed in, and harmless whatever a URL says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest

from lead_assets.contracts import (
    CampaignFunnel,
    Classification,
    CompanyOverview,
    DeadLetter,
    Delivery,
    EnrichedLead,
    Lead,
    Quarantined,
    RejectedPayload,
    RoutingDecision,
    Score,
)
from lead_assets.contracts.base import WHOLE_HOME
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.service.explorer.reading import PAGE, marked
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service, serving

EVIL = "<script>alert(1)</script>'\"&{{7*7}}"
PAGES = ("", "/leads", "/dashboard", "/queues", "/queues?which=quarantine", "/queues?which=dead-letters")
"""Pages without the lead's."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose warehouse holds one lead with HTML in every text, and as many plain ones as two pages need."""
    settings = Settings(home=tmp_path_factory.mktemp("explorer") / "home", sandbox_url="http://127.0.0.1:9")
    warehouse = DuckDBWarehouse(settings.warehouse_folder)
    plain = [
        {
            "campaign_id": "a",
            "lead_id": f"L{number:03}",
            "full_name": "Ana Souza",
            "email_normalized": "ana@acme.example",
            "company": "Acme",
        }
        for number in range(PAGE + 5)
    ]
    part = {"part": EVIL, "points": 12.5, "max_points": 20.0, "because": EVIL, "rule": EVIL}
    history = [{"at": "2026-11-01T10:00:00Z", "attempt": 1, "state": "sent", "reason": EVIL}]
    evil = {
        Lead: {"payload": json.dumps({"x": EVIL}), "position": 1, "given": None},
        Score: {"score": 12.5, "parts": json.dumps([part]), "reasons": [EVIL]},
        RoutingDecision: {
            "facts": json.dumps({EVIL: EVIL}),
            "passed_over": json.dumps([{"who": EVIL, "why": EVIL}]),
            "routing_table": None,
        },
        Classification: {"answer": json.dumps({"evidence": [EVIL]}), "cost_usd": "0.002"},
        CompanyOverview: {"state": "found", "cost_usd": "0.03"},
        EnrichedLead: {},
        Delivery: {"history": json.dumps(history)},
        DeadLetter: {},
        Quarantined: {},
        RejectedPayload: {},
    }
    for contract, given in evil.items():
        texts = {column.name: EVIL for column in contract.columns() if str(column.dtype) == "String" and not column.json}
        lead = texts | {"campaign_id": "a", "lead_id": EVIL} | given
        warehouse.write(contract, rows(contract, [lead, *(plain if contract is Lead else ())]), warehouse_keys(contract))
    funnel = {"campaign_id": "a", "received": 60, "leads": 56, "routed": 1}
    warehouse.write(CampaignFunnel, rows(CampaignFunnel, [funnel]), ["a"])
    yield from serving(settings)


def warehouse_keys(contract: type) -> list[str]:
    return ["a"] if contract.grain == "campaign" else [WHOLE_HOME]  # type: ignore[attr-defined]


@contextmanager
def signed_in(service: Service, scope: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{service.url}/explorer", timeout=60) as client:
        answer = client.post("/sign-in", data={"token": token_of(client), "key": service.keys[scope]})
        assert (answer.status_code, answer.headers["location"]) == (303, "/explorer")
        yield client


def token_of(client: httpx.Client) -> str:
    found = re.search(r'name="token" value="(\w+)"', client.get("/sign-in").text)
    assert found is not None
    return found[1]


def lead_page(lead: str) -> str:
    return "/lead?" + urlencode({"campaign": "a", "id": lead})


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.mark.parametrize("page", [*PAGES, lead_page(EVIL), "/leads?" + urlencode({"q": EVIL, "owner": EVIL, "campaign": EVIL})])
def test_html_in_every_field_is_text(known: Service, page: str) -> None:
    with signed_in(known, "read-pii") as client:
        answer = client.get(page)
    found = _Tags(answer.text)
    assert answer.status_code == 200
    assert not found.tags & {"script", "iframe", "img", "style"}
    assert not {name for name in found.attributes if name.startswith("on") or name == "style"}
    assert "49" not in re.findall(r"\{\{7\*7\}\}|&amp;49", answer.text)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    if page not in ("", "/dashboard"):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


def test_a_leads_page_tells_what_became_of_it(known: Service) -> None:
    with signed_in(known, "read-pii") as client:
        text = client.get(lead_page(EVIL)).text
    for said in ("Signals", "$0.0300", 'class="stack"', "Passed over", "Evidence in the notes", "<mark>", "Deliveries"):
        assert said in text


def test_personal_data_is_masked_without_the_scope(known: Service) -> None:
    with signed_in(known, "read") as reader, signed_in(known, "read-pii") as all_seeing:
        for page in ("/leads?campaign=a", lead_page("L001")):
            masked, whole = reader.get(page).text, all_seeing.get(page).text
            assert "Ana Souza" in whole
            assert "ana@acme.example" in whole
            assert "Ana Souza" not in masked
            assert "ana@" not in masked
            assert "masked" in masked
        for which in ("rejects", "quarantine"):
            assert "<pre>***</pre>" in reader.get(f"/queues?which={which}").text
        assert "1 lead" not in reader.get("/leads?q=souza").text
        assert f"{PAGE + 5} leads" in all_seeing.get("/leads?q=souza").text


def test_pages_of_leads_hold_each_lead_once(known: Service) -> None:
    for sort in ("received", "oldest", "score", "lowest", "company"):
        with signed_in(known, "read") as client:
            first = client.get(f"/leads?campaign=a&sort={sort}").text
            following = re.search(r'href="([^"]+)" rel="next"', first)
            assert following is not None
            second = client.get("/leads" + following[1].replace("&amp;", "&")).text
        ids = [re.findall(r'href="/explorer/lead\?([^"]+)"', text) for text in (first, second)]
        assert (len(ids[0]), len(ids[1]), len({*ids[0], *ids[1]})) == (PAGE, 6, PAGE + 6)
        assert 'rel="next"' not in second


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (lead_page("nobody"), 404),
        ("/lead", 404),
        (lead_page("../../etc/passwd"), 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/nothing", 404),
        ("/queues?which=" + quote("x; DROP TABLE y"), 404),
        ("/queues?page=-1", 404),
        ("/queues?page=x", 422),
        ("/leads?after=%00not-a-cursor", 422),
        ("/leads?after=WyIxIiwiMSJd", 422),
        ("/leads?sort=" + quote("lead_id; DROP TABLE x"), 200),
        ("/leads?tier=" + quote("' OR 1=1 --"), 200),
        ("/leads?campaign=" + quote("../../../etc"), 200),
        ("/leads?q=" + quote("'; SELECT * FROM read_csv('/etc/passwd') --"), 200),
    ],
)
def test_nothing_in_a_url_does_harm(known: Service, page: str, status: int) -> None:
    with signed_in(known, "read") as client:
        answer = client.get(page)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert "root:" not in answer.text
    if "OR 1=1" in page or "etc" in page:
        assert "L001" not in answer.text


def test_signing_in_needs_a_key_that_may_read_and_the_forms_token(known: Service) -> None:
    with httpx.Client(base_url=f"{known.url}/explorer", timeout=60) as client:
        sent_away = client.get("/leads?tier=hot")
        assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/explorer/sign-in?next=%2Fexplorer%2Fleads%3Ftier%3Dhot")
        token = token_of(client)
        assert client.post("/sign-in", data={"token": token, "key": "la_x_y"}).status_code == 401
        assert client.post("/sign-in", data={"token": token, "key": known.keys["webhook"]}).status_code == 403
        assert client.post("/sign-in", data={"key": known.keys["read"]}).status_code == 403
        assert client.post("/sign-in", data={"token": "0" * 64, "key": known.keys["read"]}).status_code == 403
        elsewhere = client.post("/sign-in", data={"token": token, "key": known.keys["read"]}, headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code == 403
        good = {"token": token, "key": known.keys["read"]}
        assert client.post("/sign-in", data={**good, "next": "//evil.example/"}).headers["location"] == "/explorer"
        answer = client.post("/sign-in", data={**good, "next": "/explorer/leads?tier=hot"})
        assert answer.headers["location"] == "/explorer/leads?tier=hot"
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert known.keys["read"] not in cookie
        assert client.get(f"/leads?q={known.keys['read']}").status_code == 400


def test_signing_out_needs_the_sessions_token_and_ends_the_session(known: Service) -> None:
    with signed_in(known, "read") as client:
        assert client.post("/sign-out", data={"token": token_of(client)}).status_code == 403  # the form's, not the session's
        assert client.get("/leads").status_code == 200
        found = re.search(r'name="token" value="(\w+)"', client.get("").text)
        before = dict(client.cookies)
        assert found is not None
        assert client.post("/sign-out", data={"token": found[1]}).status_code == 303
        assert httpx.get(f"{known.url}/explorer/leads", cookies=before).status_code == 303


def test_a_revoked_key_ends_its_session(known: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lead_assets.service.explorer.sessions._REMEMBERED_SECONDS", 0.0)
    with opened_ledger(known.settings) as ledger:
        key, text = ledger.keys.create("short", ["read"])
        other = Service(known.url, known.settings, {"short": text})
        with signed_in(other, "short") as client:
            assert client.get("/leads").status_code == 200
            ledger.keys.revoke(key.key_id)
            assert client.get("/leads").status_code == 303


@pytest.mark.slow
def test_an_empty_warehouse_has_pages(tmp_path: Path) -> None:
    for empty in serving(Settings(home=tmp_path / "home", sandbox_url="http://127.0.0.1:9")):
        with signed_in(empty, "read") as client:
            for page in PAGES:
                answer = client.get(page)
                assert answer.status_code == 200
                assert 'class="empty"' in answer.text


def test_quotes_are_marked_where_they_stand() -> None:
    assert marked("I need it NOW, now.", ["now"]) == [("I need it ", False), ("NOW", True), (", ", False), ("now", True), (".", False)]
    assert marked("abc", ["ab", "bc", " "]) == [("abc", True)]
    assert marked("", ["x"]) == []
    assert marked("İstanbul now", ["now"])[-1] == ("now", True)


@contextmanager
def forwarded(service: Service, scope: str) -> Iterator[str]:
    """The URL of a door to the pages that signs in itself, because a browser without a window cannot paste a key."""
    with signed_in(service, scope) as client:

        class Door(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = client.get(service.url + self.path)
                self.send_response(answer.status_code)
                for name in ("content-type", "content-security-policy"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Door) as door:
            thread = threading.Thread(target=door.serve_forever, daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{door.server_address[1]}/explorer"
            door.shutdown()
            thread.join(10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "width", "heading"),
    [
        ("", 820, "Campaigns"),
        ("/leads", 500, "Leads"),
        (lead_page(EVIL), 1400, "Score"),
        ("/dashboard", 820, "Dashboard"),
        ("/queues", 500, "Queues"),
    ],
)
def test_a_real_browser_shows_each_page_and_its_policy_stops_nothing(
    known: Service, tmp_path: Path, page: str, width: int, heading: str
) -> None:
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not on the PATH: apt-get install chromium"
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--dump-dom"]
    command += ["--enable-logging=stderr", f"--window-size={width},900", f"--user-data-dir={tmp_path}", "--virtual-time-budget=5000"]
    with forwarded(known, "read-pii") as url:
        shown = subprocess.run([*command, url + page], check=True, capture_output=True, text=True, timeout=120)
    assert f"{heading}</h" in shown.stdout
    assert "<script" not in shown.stdout
    assert "Content Security Policy" not in shown.stderr


@pytest.mark.slow
@pytest.mark.parametrize("width", [500, 820, 1400])
def test_a_real_browser_shows_the_sign_in_page(known: Service, tmp_path: Path, width: int) -> None:
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not on the PATH: apt-get install chromium"
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--dump-dom"]
    command += [
        f"--window-size={width},900",
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=5000",
        f"{known.url}/explorer/leads?tier=hot",
    ]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    assert "<h1>Sign in</h1>" in shown
    assert 'value="/explorer/leads?tier=hot"' in shown

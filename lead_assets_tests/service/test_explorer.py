"""The explorer's pages, over a real server: escaped, masked, signed in, and harmless whatever a URL says."""

from __future__ import annotations

import hashlib
import html
import json
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html.parser import HTMLParser
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
    Duplicate,
    EnrichedLead,
    Lead,
    Quarantined,
    RawLead,
    RejectedPayload,
    RoutingDecision,
    Score,
)
from lead_assets.contracts.base import WHOLE_HOME
from lead_assets.core.settings import Settings
from lead_assets.kit.columns import downstream, upstream
from lead_assets.ledger.opened import opened_ledger
from lead_assets.service.explorer.choosing import MOST, choices
from lead_assets.service.explorer.drawing import draw
from lead_assets.service.explorer.frame import static_file, static_url
from lead_assets.service.explorer.listing import SHOWN, Listing
from lead_assets.service.explorer.reading import PAGE, SORTS, LeadsWanted, leads, marked
from lead_assets.service.several import stored_leads
from lead_assets.stores.warehouse.duckdb import DuckDBWarehouse
from lead_assets.stores.warehouse.questions import ask, masked_row
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service, serving
from lead_assets_tests.service.test_vendor_bodies import NAUGHTY

EVIL = "<script>alert(1)</script>'\"&{{7*7}}"
PAGES = ("", "/leads", "/views", "/dashboard", "/queues", "/queues?which=quarantine", "/queues?which=dead-letters")
SCRIPT = "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
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
        CompanyOverview: {"state": "found", "cost_usd": "0.03", "stale": True},
        Duplicate: {"lead_id": "twin", "duplicate_of": EVIL, "matched_on": "person"},
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
    # Another person, whose id is that of a lead of the other campaign.
    ben = {"campaign_id": "b", "lead_id": "L001", "full_name": "Ben Odum", "email": "ben@bolt.example", "company": "Bolt", "part": 1}
    for contract in (RawLead, Lead):
        warehouse.write(contract, rows(contract, [ben | {"email_normalized": ben["email"], "drop_sha256": "b" * 64}]), ["b"])
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
    assert not found.tags & {"iframe", "img", "style"}
    assert re.findall(r"<script([^>]*)>", answer.text) == [f' src="{static_url(name)}" defer' for name in ("htmx.min.js", "ticks.js")]
    assert not {name for name in found.attributes if name.startswith("on") or name == "style"}
    assert "49" not in re.findall(r"\{\{7\*7\}\}|&amp;49", answer.text)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    if page not in ("", "/dashboard", "/views"):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


def test_a_leads_page_tells_what_became_of_it(known: Service) -> None:
    with signed_in(known, "read-pii") as client:
        text = client.get(lead_page(EVIL)).text
    for said in (
        "Signals",
        "$0.0300",
        'class="stack"',
        "Passed over",
        "Evidence in the notes",
        "<mark>",
        "Deliveries",
        ">stale<",
        "twin, same person",
    ):
        assert said in text


def test_naughty_texts_stand_on_the_pages_as_they_were_sent(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", sandbox_url="http://127.0.0.1:9")
    warehouse = DuckDBWarehouse(settings.warehouse_folder)
    warehouse.prepare()
    # HTML has no NUL, and its reader takes other line breaks for a new line.
    texts = {f"N{at}": text for at, text in enumerate(NAUGHTY) if text.strip() and "\x00" not in text}
    leads_ = [{"campaign_id": "n", "lead_id": name, "full_name": text, "company": text, "title": text} for name, text in texts.items()]
    warehouse.write(Lead, rows(Lead, leads_), ["n"])
    serving_ = serving(settings)
    with signed_in(next(serving_), "read-pii") as client:
        address, seen = "/leads?sort=oldest", ""
        while address:
            text = client.get(address).text
            seen += text
            assert not _Tags(text).tags & {"iframe", "img", "style", "svg", "marquee", "video", "body onload", "x", "foo"}
            assert not {name for name in _Tags(text).attributes if name.startswith("on") or name == "style"}
            following = re.search(r'href="(\?[^"]+)" rel="next"', text)
            address = "/leads" + following[1].replace("&amp;", "&") if following else ""
        one = client.get("/lead?" + urlencode({"campaign": "n", "id": next(iter(texts))})).text
    next(serving_, None)
    said = html.unescape(seen)
    lost = [name for name, text in texts.items() if text not in said]
    assert not lost
    assert html.escape(next(iter(texts.values())), quote=False) in one


def test_a_list_is_narrowed_by_counts_and_taken_along(known: Service) -> None:
    with signed_in(known, "read") as client:
        ready(client)
        text = client.get("/leads?campaign=a").text
        counted = re.search(r'<a href="\?([^"]*)" aria-current="true"[^>]*>a <span class="count">(\d+)</span>', text)
        assert counted is not None
        assert (counted[1], counted[2]) == ("", str(PAGE + 6))
        lines = client.get("/leads.csv?campaign=a&q=acme").text.splitlines()
        assert lines[0].startswith("campaign_id,lead_id,received_at,full_name")
        assert len(lines) == PAGE + 6
        assert "Ana Souza" not in "".join(lines)
        assert client.get("/leads.csv?q=nobody-at-all").text.count("\n") == 1


def heads_of(text: str) -> list[str]:
    """What the heads of the table of leads say."""
    table = re.findall(r"<thead>.*?</thead>", text, re.DOTALL)[-1].partition("</th>")[2]  # without that of the boxes
    return [re.sub(r"<[^>]+>|[↓↑]", "", each).strip() for each in re.findall(r"<th.*?</th>", table, re.DOTALL)]


def test_own_columns_are_in_the_address_and_in_the_file(known: Service) -> None:
    with signed_in(known, "read") as client:
        ready(client)
        text = client.get("/leads?campaign=a&columns=tier,seniority,estimated_revenue,company").text
        assert heads_of(text) == ["Lead", "Tier", "Seniority", "Estimated revenue", "Company"]
        following = re.search(r'href="([^"]+)" rel="next"', text)
        assert following is not None
        assert "columns=tier%2Cseniority%2Cestimated_revenue%2Ccompany" in following[1]
        assert '<input type="hidden" name="columns" value="tier,seniority,estimated_revenue,company">' in text  # filters keep them
        file = client.get("/leads.csv?campaign=a&columns=tier,estimated_revenue")
        lines = file.text.splitlines()
        assert lines[0] == "campaign_id,lead_id,full_name,email_normalized,tier,estimated_revenue"
        assert any("alert(1)" in line and line.endswith('{{7*7}}"') for line in lines)
        assert len(lines) == PAGE + 7
        # Choosing them takes no script: every arrow is an address.
        editing = client.get("/leads?columns=tier,company&edit=columns").text
        assert "columns=company%2Ctier&amp;edit=tier" in editing
        assert heads_of(client.get("/leads?columns=tier,company&add=city&edit=columns").text) == ["Lead", "Tier", "Company", "City"]


def test_a_column_that_cannot_be_shown_is_named(known: Service) -> None:
    with signed_in(known, "read") as reader, signed_in(known, "read-pii") as all_seeing:
        odd = "/leads?" + urlencode({"campaign": "a", "columns": f"tierr,{EVIL},score;DROP TABLE x,owner"})
        answer = reader.get(odd)
        assert answer.status_code == 200
        assert heads_of(answer.text) == ["Lead", "Owner"]
        assert "there is no column tierr (did you mean &#39;tier&#39;?)" in answer.text
        assert EVIL not in answer.text
        personal = "/leads?campaign=a&columns=notes,owner"
        assert heads_of(all_seeing.get(personal).text) == ["Lead", "Notes", "Owner"]
        text = reader.get(personal).text
        assert heads_of(text) == ["Lead", "Owner"]
        assert "notes is personal data: it needs a key with the scope read-pii" in text
        assert 'value="notes"' not in reader.get(personal + "&edit=columns").text
        assert reader.get("/leads.csv?campaign=a&columns=notes,owner").text.splitlines()[0].endswith("email_normalized,owner")
        many = ",".join(choices())
        assert len(heads_of(reader.get(f"/leads?columns={many}").text)) <= MOST + 1


def token_in(text: str) -> str:
    return re.findall(r'name="token" value="(\w+)"', text)[0]


def test_a_list_is_saved_as_a_view_above_the_table(known: Service) -> None:
    with signed_in(known, "read") as reader, signed_in(known, "admin") as writer, signed_in(known, "read-pii") as other:
        page = reader.get("/leads?tier=hot&columns=owner,tier").text
        assert "Save as a view" in page
        assert "For everybody" not in page
        view = {"token": token_in(page), "state": "tier=hot&columns=owner%2Ctier&after=x&odd=1", "name": EVIL[:60]}
        answers = [reader.post("/views", data=view) for _ in range(2)]  # a second click is nothing new
        assert [(each.status_code, each.headers["location"]) for each in answers] == [
            (303, "/explorer/leads?tier=hot&columns=owner%2Ctier")
        ] * 2
        text = reader.get("/leads?columns=owner,tier&tier=hot").text
        tabs = re.findall(r'<nav class="tabs".*?</nav>', text)[0]
        assert EVIL in html.unescape(tabs)
        assert tabs.count('aria-current="page"') == 1
        assert "Save as a view" not in text
        assert EVIL not in text
        assert "columns=owner" not in other.get("/leads").text  # it is this key's own

        assert reader.post("/views", data=view | {"name": "all", "shared": "yes"}).status_code == 403
        token = token_in(writer.get("/leads?tier=hot").text)
        assert writer.post("/views", data={"state": "tier=hot", "name": "Hot", "token": token, "shared": "yes"}).status_code == 303
        assert ">Hot</a>" in other.get("/leads").text
        named = {"state": "q=ana%40acme.example", "name": "Her", "token": token, "shared": "yes"}
        assert writer.post("/views", data=named).headers["location"] == "/explorer/leads?q=ana%40acme.example"
        assert "ana%40acme" in other.get("/leads").text
        for page in ("/leads", "/views"):
            assert "acme.example" not in reader.get(page + "?q=x").text  # a search may name somebody
        taken = writer.post("/views", data={"state": "tier=cold", "name": "hot", "token": token, "shared": "yes"})
        assert taken.status_code == 409
        assert "Replace the view of this name" in taken.text
        (shared,) = re.findall(r'/explorer/views/(\w+)"', writer.get("/views").text)[:1]
        assert reader.post(f"/views/{shared}", data={"token": view["token"], "what": "delete"}).status_code == 403
        assert writer.post(f"/views/{shared}", data={"what": "delete"}).status_code == 403  # no token
        assert writer.post(f"/views/{shared}", data={"token": token, "what": "rename", "name": ""}).status_code == 422
        assert writer.post(f"/views/{shared}", data={"token": token, "what": "rename", "name": "Hottest"}).status_code == 303
        assert ">Hottest</a>" in reader.get("/leads").text
        for _ in range(2):
            assert writer.post(f"/views/{shared}", data={"token": token, "what": "delete"}).status_code == 303
        assert writer.post(f"/views/{shared}", data={"token": token, "what": "later"}).status_code == 404
        (own,) = set(re.findall(r'/explorer/views/(\w+)"', reader.get("/views").text))
        assert other.post(f"/views/{own}", data={"token": token_in(other.get("/leads").text), "what": "later"}).status_code == 404
        reader.post(f"/views/{own}", data={"token": view["token"], "what": "delete"})


def ready(client: httpx.Client) -> None:
    """Wait until the list comes from memory."""
    for _ in range(100):
        if 'class="facets"' in client.get("/leads?campaign=a").text:
            return
        time.sleep(0.05)
    raise AssertionError("the list was not copied")


def ticked(client: httpx.Client, *leads: str, **more: str) -> dict[str, str | list[str]]:
    """The form of the list with these boxes ticked."""
    text = client.get("/leads?campaign=a").text
    return {"token": token_in(text), "state": "campaign=a", "which": "ticked", "lead": list(leads), **more}


def test_a_selection_says_what_would_become_of_whom(known: Service) -> None:
    with signed_in(known, "admin") as client:
        ready(client)
        asked = client.post("/selection", data=ticked(client, "a/L001", "b/L001", "a/erased", what="reroute"))
        assert asked.status_code == 200
        assert "Re-route 2 leads" in asked.text
        assert "a: 1, b: 1" in asked.text
        assert "1 of the selected is not there any more: erased" in asked.text
        form = hidden_in(asked.text)
        assert form["lead"] == ["a/L001", "b/L001", "a/erased"]
        done = client.post("/selection/reroute", data=form).text
        assert "0 of 3 leads have another owner" in done
        assert "not routed yet" in done
        assert "not there any more: erased" in done
        assert client.post("/selection", data=ticked(client, "a/erased", what="retry")).text.count("<button") == 1  # only to sign out
        every = ticked(client, what="retry", which="every")
        assert f"Retry {PAGE + 6} leads" in client.post("/selection", data=every).text
        page = client.post("/selection", data=ticked(client, what="enrich", which="page") | {"shown": ["a/L001", "a/L002"]})
        assert "Enrich 2 leads" in page.text
        assert client.get("/selection").headers["location"] == "/explorer/leads"
        with opened_ledger(known.settings) as ledger:
            ledger.set_budget("total", 1)
            priced = client.post("/selection", data=ticked(client, "a/L001", "b/L001", what="enrich")).text
            ledger.set_budget("total", None)
        assert "The budget total per day has $0.0000 left: what is beyond it is not bought." in priced


def hidden_in(text: str) -> dict[str, list[str]]:
    """What the form of the card sends."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text[text.index('id="act"') :]):
        found.setdefault(name, []).append(html.unescape(value))
    return found


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"what": "reroute", "lead": []}, 422, "No lead is selected"),
        ({"what": "reroute", "lead": ["no-campaign", "/x", "a/"]}, 422, "No lead is selected"),
        ({"what": "reroute", "lead": [f"a/{number}" for number in range(1_000)], "which": "page"}, 422, "No lead is selected"),
        ({"what": "forget", "lead": [f"a/L{number:03}" for number in range(21)]}, 422, "Forget takes at most 20 at once"),
        ({"what": "export", "lead": [f"a/L{number:03}" for number in range(1_001)]}, 422, "1,001 leads are selected"),
        ({"what": "forget", "which": "every"}, 422, "More than 20 leads are selected"),
        ({"what": "delete", "lead": ["a/L001"]}, 404, "no such action"),
        ({"what": "reroute", "lead": ["a/L001"], "token": "0" * 64}, 403, "this form is too old"),
        ({"what": "reroute", "lead": [EVIL + "/" + EVIL, "../../etc/passwd", "a/' OR 1=1 --"]}, 200, "None of the selected leads is left"),
    ],
)
def test_a_selection_that_cannot_be_is_refused_in_words(known: Service, form: dict[str, str | list[str]], status: int, said: str) -> None:
    with signed_in(known, "admin") as client:
        answer = client.post("/selection", data=ticked(client) | form)
    assert answer.status_code == status
    assert said in answer.text
    assert EVIL not in answer.text


def test_a_selection_needs_the_scope_of_what_is_done(known: Service) -> None:
    with signed_in(known, "read") as reader:
        text = reader.get("/leads").text
        assert re.findall(r'name="what" value="(\w+)"', text) == ["export"]
        assert "Forget needs admin" in text
        for what in ("enrich", "reroute", "retry", "forget"):
            assert reader.post("/selection", data=ticked(reader, "a/L001", what=what)).status_code == 403
            assert reader.post(f"/selection/{what}", data=ticked(reader, "a/L001", once="0" * 32, sure="yes")).status_code == 403
    with signed_in(known, "admin") as client:
        assert client.post("/selection/forget", data=ticked(client, "a/L001", once="0" * 32)).status_code == 422  # not sure
        assert client.post("/selection/forget", data=ticked(client, "a/L001", sure="yes")).status_code == 422  # of no form of ours
        stale = ticked(client, once="1" * 32, which="every", digest="0" * 64)
        changed = client.post("/selection/reroute", data=stale)
        assert (changed.status_code, "The list has changed meanwhile" in changed.text) == (409, True)


def test_a_selection_is_exported_in_the_columns_of_the_list(known: Service) -> None:
    with signed_in(known, "read") as client:
        form = ticked(client, "b/L001", "a/L002", what="export") | {"state": "columns=tier,company"}
        lines = client.post("/selection", data=form).text.splitlines()
        assert lines[0] == "campaign_id,lead_id,full_name,email_normalized,tier,company"
        assert [line.split(",")[:2] for line in lines[1:]] == [["b", "L001"], ["a", "L002"]]
        assert "Ben Odum" not in "".join(lines)
        asked = client.post("/selection", data=form | {"lead": ["b/L001", "a/gone"]})
        assert "The file holds the 1 that are left" in asked.text
        assert len(client.post("/selection/export", data=hidden_in(asked.text)).text.splitlines()) == 2
        every = client.post("/selection", data=form | {"which": "every"})
        assert every.headers["location"] == "/explorer/leads.csv?columns=tier%2Ccompany"


def test_people_are_forgotten_once_and_nobody_with_their_leads_id(known: Service) -> None:
    with signed_in(known, "admin") as client:
        asked = client.post("/selection", data=ticked(client, "b/L001", what="forget"))
        assert "Ben Odum" in asked.text
        form = hidden_in(asked.text) | {"sure": "yes"}
        with ThreadPoolExecutor() as hands:  # a double click
            answers = list(hands.map(lambda _: client.post("/selection/forget", data=form), range(2)))
        assert [each.status_code for each in answers] == [200, 200]
        assert all("1 person is forgotten" in each.text for each in answers)
        assert client.get("/lead?campaign=b&id=L001").status_code == 404
        assert "Ana Souza" in client.get(lead_page("L001")).text


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
            assert '<pre tabindex="0">***</pre>' in reader.get(f"/queues?which={which}").text
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


def test_one_scale_of_type_one_of_spacing_and_few_colours() -> None:
    style = static_file("style.css").read_text()
    rules = style[style.index("* {") :]
    sizes = set(re.findall(r"font(?:-size)?: ([^;}]+)", rules))
    assert {size for size in sizes if not re.match(r"var\(--(small|table|large|huge)\)|1rem|inherit", size)} == set()
    spaces = {
        each
        for value in re.findall(r"(?:margin|padding|gap)(?:-\w+)?: ([^;}]+)", rules)
        for each in re.findall(r"-?[\d.]+(?:px|rem|em)", value)
    }
    assert spaces <= {"0px", "2px", "4px", "-4px", "5px"}
    assert len(set(re.findall(r"#[0-9a-f]{3,6}\b", rules))) == 8  # the parts of a score


def test_the_script_is_htmx_as_published(known: Service) -> None:
    assert hashlib.sha256(static_file("htmx.min.js").read_bytes()).hexdigest() == SCRIPT
    answer = httpx.get(known.url + static_url("htmx.min.js"))
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/javascript")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert httpx.get(f"{known.url}/explorer/static/pages.py").status_code == 404


@pytest.mark.parametrize("action", ["enrich", "reroute", "retry", "merge", "unmerge", "forget"])
def test_an_action_needs_its_scope_and_the_sessions_token(known: Service, action: str) -> None:
    lead = {"campaign": "a", "id": "L001"}
    scope = "admin" if action == "forget" else "write"
    with signed_in(known, "read") as reader:
        assert reader.get(f"/act/{action}", params=lead).status_code == 403
        token = re.findall(r'name="token" value="(\w+)"', reader.get("/what-if").text)[0]
        assert reader.post(f"/act/{action}", data=lead | {"token": token}).status_code == 403
    with signed_in(known, "admin") as may:
        page = may.get(f"/act/{action}", params=lead)
        assert page.status_code == 200
        assert 'id="act"' in page.text
        assert may.post(f"/act/{action}", data=lead).status_code == 403
        assert may.post(f"/act/{action}", data=lead | {"token": "0" * 64}).status_code == 403
        token = re.findall(r'name="token" value="(\w+)"', page.text)[0]
        elsewhere = may.post(f"/act/{action}", data=lead | {"token": token}, headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code == 403
        assert may.get(f"/act/{action}", params={"campaign": "../a", "id": "x"}).status_code == 404
    assert scope in known.keys


def test_a_replay_needs_a_queue_that_has_something(known: Service) -> None:
    with signed_in(known, "admin") as client:
        for given in (
            {"which": "rejects"},
            {"which": "x", "campaign": "a", "reason": "b"},
            {"which": "rejects", "campaign": "a", "reason": "b"},
        ):
            assert client.get("/replay", params=given).status_code == 404
        answer = client.get("/replay", params={"which": "rejects", "campaign": "a", "reason": EVIL})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert client.post("/replay", data={"which": "rejects", "campaign": "a", "reason": EVIL}).status_code == 403
    with signed_in(known, "read") as reader:
        assert reader.get("/replay", params={"which": "rejects", "campaign": "a", "reason": EVIL}).status_code == 403


def test_the_copy_in_memory_lists_what_the_warehouse_does(tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path)
    every: dict[str, list[dict[str, object]]] = {"a": [], "b": []}
    for number in range(PAGE + 20):
        every["ab"[number % 2]].append(
            {
                "campaign_id": "ab"[number % 2],
                "lead_id": f"L{number:03}",
                "full_name": f"Ana {number}",
                "email_normalized": f"ana{number}@acme.example",
                "company": f"Acme {number % 7}",
                "country_code": "DE" if number % 3 else None,
            }
        )
    for campaign, some in every.items():
        warehouse.write(Lead, rows(Lead, some), [campaign])
        scored = [{**lead, "score": float(at % 5), "tier": "hot" if at % 2 else "cold"} for at, lead in enumerate(some) if at % 4]
        warehouse.write(Score, rows(Score, scored), [campaign])
    listing = Listing(warehouse)
    listing.refresh()
    wanted = [
        LeadsWanted(values, search, sort)
        for sort in SORTS
        for values, search in (
            ({}, ""),
            ({"tier": "hot", "campaign": "a"}, ""),
            ({"country": "DE"}, "acme 3"),
            ({}, "ana1"),
            ({}, "nobody"),
        )
    ]
    for at, each in enumerate(wanted):
        pii = at % 2 == 0  # five searches for each of five orders: each search with and without it
        kept, copied = leads(warehouse, each, pii=pii), leads(warehouse, each, pii=pii, listing=listing)
        assert copied.total == kept.total
        while True:
            names = (*SHOWN, "score", "tier", "owner")
            of_copy, of_files = ([[row[name] for name in names] for row in page.rows] for page in (copied, kept))
            assert of_copy == of_files
            assert bool(copied.following) == bool(kept.following)
            if not kept.following:
                break
            kept = leads(warehouse, LeadsWanted(each.values, each.search, each.sort, kept.following), pii=pii)
            copied = leads(warehouse, LeadsWanted(each.values, each.search, each.sort, copied.following), pii=pii, listing=listing)
    (first, *_) = leads(warehouse, LeadsWanted({}, columns=list(choices())), pii=True, listing=listing).rows
    assert choices().keys() <= first.keys()
    warehouse.write(Lead, rows(Lead, every["a"][:3]), ["a"])
    listing.refresh()
    assert leads(warehouse, LeadsWanted({"campaign": "a"}), pii=True, listing=listing).total == 3
    shutil.rmtree(warehouse.folder / "identity" / "leads" / "campaign_id=b")  # as when the warehouse is made again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listing, "is_fresh", lambda: True)  # nobody has looked since
        shown = leads(warehouse, LeadsWanted({}, columns=["seniority"]), pii=True, listing=listing).rows
        assert ({row["campaign_id"] for row in shown}, {row["seniority"] for row in shown}) == ({"a", "b"}, {None})
        patch.setattr(warehouse, "partitions", lambda contract: ["a", "b"])
        assert len(leads(warehouse, LeadsWanted({}, columns=["seniority"]), pii=True, listing=listing).rows) == len(shown)
    assert stored_leads(warehouse, [("a", "L000"), ("b", "L001"), ("c", "L002")])["lead_id"].to_list() == ["L000"]
    listing.refresh()
    assert leads(warehouse, LeadsWanted({}), pii=True, listing=listing).total == 3
    listing.close()


def test_a_columns_lineage_is_drawn_from_left_to_right() -> None:
    column = "scoring.scores.tier"
    drawn = draw(column, upstream(column), downstream(column))
    at = {box.name: box for box in drawn.boxes}
    assert at["scoring.scores.score"].x < at[column].x < at["marts.campaign_funnel.hot"].x
    assert len(drawn.lines) >= 2
    assert len({(box.x, box.y) for box in drawn.boxes}) == len(drawn.boxes)
    assert all(0 <= box.y < drawn.height and 0 <= box.x < drawn.width for box in drawn.boxes)


def test_a_row_is_masked_as_sql_masks_it(known: Service) -> None:
    warehouse = DuckDBWarehouse(known.settings.warehouse_folder)
    for contract in (Lead, RejectedPayload, EnrichedLead, Classification, Quarantined, RoutingDecision):
        whole, masked = (ask(warehouse, f"SELECT * FROM {contract.table} ORDER BY ALL", pii=pii).to_dicts() for pii in (True, False))
        assert sorted(map(repr, (masked_row(contract, row) for row in whole))) == sorted(map(repr, masked))

"""The explorer in a real browser: every page at three widths, and in dark, under axe; and every button, on a home that the demo made.

One browser, one server and one home for all tests, which run in their order: the last ones change what the first ones look at.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import resources
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lead_assets.contracts import DeadLetter
from lead_assets.core.settings import Settings
from lead_assets.ledger.opened import opened_ledger
from lead_assets.sandbox import Handle
from lead_assets.stores.opened import warehouse_of
from lead_assets_tests.conftest import lead_assets
from lead_assets_tests.rows import rows
from lead_assets_tests.service.conftest import Service, serving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

expect.set_options(timeout=120_000)
AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
WIDTHS = (390, 820, 1400)
LEAD = {"campaign": "lending-q4-2026", "id": "lq4-101"}
FRESH = {"campaign": "fresh", "id": "F1"}
ACTIONS = ("enrich", "reroute", "retry", "merge", "unmerge", "forget")
PAGES = {
    "campaigns": "",
    "leads": "/leads?sort=score",
    "no lead": "/leads?q=nobody-is-called-that",
    "own columns": "/leads?columns=tier,technologies,nothing,received_at&edit=tier",
    "views": "/views",
    "lead": f"/lead?{urlencode(LEAD)}",
    "a lead of which nothing is known yet": f"/lead?{urlencode(FRESH)}",
    "dashboard": "/dashboard",
    "rejects": "/queues",
    "quarantine": "/queues?which=quarantine",
    "dead letters": "/queues?which=dead-letters",
    "replay": f"/replay?{urlencode({'which': 'quarantine', 'campaign': 'lending-q4-2026', 'reason': 'invalid_enum'})}",
    "what if": "/what-if",
    "lineage": "/lineage?column=scoring.scores.tier",
    "no such page": "/nothing",
    **{action: f"/act/{action}?{urlencode(LEAD)}" for action in ACTIONS},
}


@dataclass
class Tab:
    """A page of the browser, whose reader is signed in with a key of this scope. `complaints`: what the browser's console had to say."""

    page: Page
    url: str
    service: Service
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory, sandbox_of_module: Handle) -> Iterator[Service]:
    """The demo's home, one lead of which nothing was bought, and one dead letter."""
    folder = tmp_path_factory.mktemp("browser")
    home = folder / "home"
    lead_assets(home, "demo", "--json", sandbox_url=sandbox_of_module.url).answer()
    (folder / "fresh.ndjson").write_text(json.dumps({"lead_id": "F1", "email": "nia@kestrelworks.example", "full_name": "Nia Okoro"}))
    lead_assets(home, "ingest", str(folder / "fresh.ndjson"), "--campaign", "fresh", "--json", sandbox_url=sandbox_of_module.url).answer()
    lead_assets(home, "run", "--campaign", "fresh", "--from-ledger", "--json", sandbox_url=sandbox_of_module.url).answer()
    settings = Settings(home=home, sandbox_url=sandbox_of_module.url)
    dead = {"campaign_id": LEAD["campaign"], "lead_id": LEAD["id"], "destination": "hubspot", "kind": "note", "reason": "no_such_owner"}
    warehouse_of(settings).write(DeadLetter, rows(DeadLetter, [dead]), [LEAD["campaign"]])
    yield from serving(settings)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    assert chromium is not None, "chromium is not on the PATH: apt-get install chromium"
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def tab(explorer: Service, browser: Browser) -> Iterator[Tab]:
    """An admin's."""
    with _signed_in(explorer, browser, "admin") as opened:
        yield opened


class _signed_in:
    def __init__(self, service: Service, browser: Browser, scope: str, *, scripted: bool = True) -> None:
        self._context = browser.new_context(viewport={"width": 1400, "height": 900}, java_script_enabled=scripted)
        self._context.set_default_timeout(120_000)
        self._tab = Tab(self._context.new_page(), f"{service.url}/explorer", service)
        self._key = service.keys[scope]

    def __enter__(self) -> Tab:
        page, said = self._tab.page, self._tab.complaints
        # A page that answers 404 or 422 is told to the console, too.
        page.on("console", lambda line: said.append(line.text) if line.type == "error" and "status of 4" not in line.text else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(self._tab.url + "/leads")
        page.get_by_label("Key").fill(self._key)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Leads")).to_be_visible()
        return self._tab

    def __exit__(self, *_: object) -> None:
        self._context.close()


def faults(page: Page) -> list[str]:
    """What axe finds: rule, and where."""
    page.evaluate(AXE)
    found = page.evaluate(
        "async () => (await axe.run()).violations.map(each => [each.id, each.nodes.map(node => node.html.slice(0, 200))])"
    )
    return [f"{rule}: {places[:3]}" for rule, places in found]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everybody_at_every_width(tab: Tab, name: str) -> None:
    tab.complaints.clear()
    # What is dark differs in colours only.
    for scheme, width in (*(("light", width) for width in WIDTHS), ("dark", WIDTHS[-1])):
        tab.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        tab.page.set_viewport_size({"width": width, "height": 900})
        page = tab.open(PAGES[name])
        where = f"{name}, {width} px, {scheme}"
        assert faults(page) == [], where
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{where}: wider than the window"
        shift = page.evaluate(
            "() => new Promise(done => { let sum = 0; new PerformanceObserver(list => list.getEntries().forEach(each => sum += each.value))"
            ".observe({type: 'layout-shift', buffered: true}); setTimeout(() => done(sum), 50) })"
        )
        assert shift < 0.01, f"{where}: the layout shifts"
    assert tab.complaints == []


def test_the_sign_in_page_is_for_everybody(explorer: Service, browser: Browser) -> None:
    context = browser.new_context()
    for width in WIDTHS:
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(f"{explorer.url}/explorer/leads?tier=hot")
        assert faults(page) == []
        page.get_by_label("Key").fill("la_nobody")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("No valid key")
        assert faults(page) == []
        page.close()
    context.close()


def test_the_keyboard_is_enough_to_find_a_lead(tab: Tab) -> None:
    page = tab.open("/leads")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    for _ in range(4):  # past the views
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "q":
            break
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("whitlow")
    expect(page.locator("#count")).to_contain_text(re.compile(r"\b1 lead\b"))
    page.wait_for_url(re.compile(r"/explorer/leads\?q=whitlow$"))
    page.wait_for_load_state("networkidle")  # what was typed before it may still be answered, and take the focus along
    page.locator("table.leads tbody a").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Andre Whitlow")


def test_filters_act_at_once_and_are_in_the_address(tab: Tab) -> None:
    page = tab.open("/leads")
    page.get_by_label("Tier").select_option("hot")
    page.wait_for_url(re.compile(r"\?tier=hot$"))
    page.get_by_label("Campaign").select_option("lending-q4-2026")
    page.wait_for_url(re.compile(r"campaign=lending-q4-2026&tier=hot$"))
    counted = page.locator("#count").inner_text()
    page.get_by_role("link", name="Score").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    page.reload()
    assert page.locator("#count").inner_text() == counted
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_role("link", name="First page")).to_be_visible()


def test_columns_are_chosen_by_keyboard_and_saved_as_a_view(tab: Tab) -> None:
    page = tab.open("/leads?tier=hot")
    page.get_by_role("link", name="Columns").press("Enter")
    page.get_by_label("Another column").select_option("seniority")
    page.get_by_role("button", name="Add").press("Enter")
    page.wait_for_url(re.compile("add=seniority"))
    for _ in range(2):
        page.get_by_role("link", name="Seniority further left").press("Enter")
        expect(page.locator(".chosen li[autofocus]")).to_contain_text("Seniority")
        assert page.evaluate("document.activeElement.textContent").split()[0] == "Seniority"  # the next key press goes on from there
    page.get_by_role("link", name="Done").press("Enter")
    heads = page.locator("table.leads thead th").all_inner_texts()
    assert [head.strip(" ↓").lower() for head in heads[-3:]] == ["seniority", "owner", "received (utc)"]
    page.get_by_text("Save as a view").press("Enter")
    page.get_by_label("Name of the view").fill("<b>Hot</b>")
    page.get_by_label("For everybody").press("Space")
    page.get_by_role("button", name="Save").press("Enter")
    expect(page.locator("#views [aria-current]")).to_have_text("<b>Hot</b>")
    page.get_by_label("Tier").select_option("warm")  # the tabs follow the filters
    expect(page.locator("#views [aria-current]")).to_have_count(0)
    page.get_by_role("link", name="<b>Hot</b>").click()
    expect(page.locator("#views [aria-current]")).to_have_text("<b>Hot</b>")
    page.get_by_role("link", name="Edit views").click()
    page.get_by_label("Name of <b>Hot</b>").fill("Hot ones")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("link", name="Hot ones")).to_be_visible()
    assert faults(page) == []
    page.get_by_text("Delete", exact=False).first.click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("No view yet")).to_be_visible()


def test_a_selection_is_enriched_for_no_more_than_its_sum(tab: Tab) -> None:
    page = tab.open("/leads?campaign=fresh")
    page.get_by_role("button", name="Enrich").click()
    expect(page.get_by_role("alert")).to_contain_text("No lead is selected")
    page.get_by_label("Select all on this page").check()
    expect(page.locator("#ticked")).to_have_text("1 ticked")
    page.get_by_label("Select Nia Okoro").uncheck()
    expect(page.get_by_label("Select all on this page")).not_to_be_checked()
    page.get_by_label("Select Nia Okoro").press("Space")
    page.get_by_role("button", name="Enrich").click()
    expect(page.locator("#act h2")).to_have_text("Enrich 1 lead")
    expect(page.locator("#act")).to_contain_text("for all of them together, and never more than the sum below")
    assert faults(page) == []
    page.get_by_label("Spend at most").fill("0.03")
    with opened_ledger(tab.service.settings) as ledger:
        since = ledger.last_call()
        page.get_by_role("button", name="Enrich 1 lead").click()
        expect(page.locator("#act h2")).to_have_text("Enriched")
        bought = ledger.billed(since)
    assert 0 < float(bought["usd"]) <= 0.03
    expect(page.locator("#act")).to_contain_text("enriched in part: the sum, or a budget, was used up")
    assert faults(page) == []
    page.get_by_role("button", name="Run their campaign now").click()
    expect(page.locator("#act h2")).to_have_text("Retry 1 lead")


def test_what_takes_long_is_a_job_and_a_second_click_begins_none(tab: Tab) -> None:
    page = tab.open("/leads")
    page.get_by_label("With", exact=True).select_option("every")
    page.get_by_role("button", name="Enrich").click()
    expect(page.locator("#act")).to_contain_text("enriched in the background")
    form = page.evaluate("Object.fromEntries(new FormData(document.querySelector('#act form')))")
    form["max_usd"] = "0.01"
    answers = [page.request.post(f"{tab.url}/selection/enrich", form=form, max_redirects=0) for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    (job,) = {answer.headers["location"] for answer in answers}
    tab.open(job.removeprefix("/explorer"))
    expect(page.locator("#act")).to_contain_text("It ended at")
    assert page.locator("#act .state-good").inner_text() == "completed"
    expect(page.locator("#act")).to_contain_text("For at most")
    assert faults(page) == []


def test_a_selection_needs_no_script(explorer: Service, browser: Browser) -> None:
    with _signed_in(explorer, browser, "admin", scripted=False) as plain:
        page = plain.open("/leads?sort=score")
        expect(page.get_by_label("Select all on this page")).to_be_hidden()
        page.locator("tbody input[type=checkbox]").nth(0).check()
        page.locator("tbody input[type=checkbox]").nth(3).check()
        page.get_by_role("button", name="Re-route").click()
        expect(page.locator("#act h2")).to_have_text("Re-route 2 leads")
        page.get_by_role("button", name="Re-route 2 leads").click()
        expect(page.locator("#act h2")).to_have_text("Routed again")
        expect(page.get_by_role("status")).to_contain_text("0 of 2 leads have another owner")
        page.get_by_role("link", name="Back to the list").click()
        page.wait_for_url(re.compile("sort=score$"))
        page.get_by_label("With", exact=True).select_option("page")
        with page.expect_download() as file:
            page.get_by_role("button", name="Export").click()
        assert file.value.path().read_text().count("\n") == 51


def test_a_reader_sees_no_personal_data_and_no_button(explorer: Service, browser: Browser) -> None:
    with _signed_in(explorer, browser, "read") as reader:
        page = reader.open(PAGES["lead"])
        text = page.locator("main").inner_text()
        assert "Andre" not in text
        assert "andre" not in text
        assert "need a key with the scope write" in text
        assert page.locator("nav.actions a").count() == 0
        assert reader.open("/leads").locator("button[name=what]").all_inner_texts() == ["Export"]
        assert reader.open(PAGES["forget"]).get_by_role("heading", level=1).inner_text() == "Refused"
        assert reader.open(PAGES["quarantine"]).get_by_role("link", name="Ask again").count() == 0


def test_a_lead_shows_evidence_score_way_similar_accounts_and_links_to_dagster(tab: Tab) -> None:
    page = tab.open(PAGES["lead"])
    expect(page.locator("blockquote mark").first).to_be_visible()
    expect(page.locator("table.came tr", has_text="phone_e164")).to_have_text(re.compile(r"phone\s+\(214\) 555-0121\s+\+12145550121"))
    signal = page.locator("section:has(#signals) tbody tr", has_text="company overview")
    expect(signal).to_contain_text("pipe0")
    expect(signal).to_contain_text("$0.0300")
    expect(signal.locator("time")).to_have_count(1)
    parts = page.locator("svg.stack rect").count() - 1
    assert parts == page.locator("section:has(#score) tbody tr").count() > 3
    expect(page.locator("ol.steps li.met")).to_contain_text("lending-bridge")
    assert page.locator("section:has(#similar) li").count() > 0
    assert page.locator("section:has(#deliveries) ol.line").count() > 3
    runs = page.get_by_role("link", name="Runs in Dagster").get_attribute("href")
    assert runs == "http://127.0.0.1:3000/runs?q%5B0%5D=partition%3Alending-q4-2026"
    asset = page.get_by_role("link", name=re.compile("Asset of the routing")).get_attribute("href")
    assert asset == "http://127.0.0.1:3000/assets/routing/decisions?view=partitions&partition=lending-q4-2026"
    page.get_by_role("link", name="company_domain").click()
    expect(page.get_by_role("heading", name="identity.leads.company_domain")).to_be_visible()
    assert page.locator(".drawing path").count() > 0


def test_the_dashboard_renews_itself(tab: Tab) -> None:
    page = tab.open("/dashboard")
    page.evaluate("document.querySelector('.tiles').dataset.old = '1'")
    expect(page.locator(".tiles[data-old]")).to_have_count(0, timeout=60_000)
    assert page.get_by_role("heading", level=2).count() == 8


def test_rules_are_tried_on_a_copy(tab: Tab) -> None:
    page = tab.open("/what-if")
    rules = page.get_by_label("Routing rules (YAML)")
    text = rules.input_value()
    rules.fill(text.replace("regions:", "regionz:", 1))
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#outcome")).to_contain_text("did you mean 'regions'?")
    with opened_ledger(tab.service.settings) as ledger:
        before = ledger.routed_ever().height
    rules.fill(text.replace("DACH: [DE, ", "DACH: [", 1))
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#outcome h2")).to_contain_text("leads would have another owner")
    assert int(page.locator("#outcome h2").inner_text().split()[0]) > 0
    assert faults(page) == []
    with opened_ledger(tab.service.settings) as ledger:
        assert ledger.routed_ever().height == before


def act(page: Page, name: str) -> None:
    """Click an action on a lead's page, and wait for its form."""
    page.get_by_role("navigation", name="Actions").get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#act h2")).to_have_text(name)
    assert faults(page) == []


def test_enrich_says_the_price_and_buys_for_no_more(tab: Tab) -> None:
    page = tab.open(PAGES["a lead of which nothing is known yet"])
    act(page, "Enrich")
    expect(page.locator("#act")).to_contain_text("and never more than the sum below")
    most = float(page.get_by_label("Spend at most").input_value())
    with opened_ledger(tab.service.settings) as ledger:
        since = ledger.last_call()
        page.get_by_role("button", name="Enrich for at most").click()
        expect(page.locator("#act h2")).to_have_text("Enriched")
        bought = ledger.billed(since)
    assert 0 < float(bought["usd"]) <= most


def test_retry_runs_the_campaign_and_links_to_its_runs(tab: Tab) -> None:
    page = tab.open(PAGES["a lead of which nothing is known yet"])
    act(page, "Retry")
    page.get_by_role("button", name="Run it again").click()
    expect(page.locator("#act")).to_contain_text("It ended at")
    run = page.get_by_role("link", name=re.compile("^run ")).first.get_attribute("href")
    assert run is not None
    assert run.startswith("http://127.0.0.1:3000/runs/")
    page = tab.open(PAGES["a lead of which nothing is known yet"])
    assert page.locator("section:has(#signals) .state-good").count() > 0


def test_reroute_says_who_would_get_the_lead(tab: Tab) -> None:
    page = tab.open(PAGES["lead"])
    act(page, "Re-route")
    expect(page.locator("#act")).to_contain_text("stay with marcus.bell")
    page.get_by_role("button", name="Re-route").click()
    expect(page.locator("#act h2")).to_have_text("Routed again")


def test_merge_and_unmerge_are_decisions_in_the_ledger(tab: Tab) -> None:
    page = tab.open(PAGES["lead"])
    act(page, "Merge")
    page.get_by_label("Same person as").fill("nobody/at-all")
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing is known of nobody/at-all")
    page.get_by_label("Same person as").fill("fresh/F1")
    page.get_by_role("button", name="Merge").click()
    expect(page.locator("#act h2")).to_have_text("Merged")
    page = tab.open(PAGES["lead"])
    expect(page.locator("section:has(#same)")).to_contain_text("Same as")
    with opened_ledger(tab.service.settings) as ledger:
        assert [tuple(each) for each in ledger.identities.decisions("person")] == [("fresh/F1", "lending-q4-2026/lq4-101", True)]
        # As if the next run had made them one.
        (known,) = ledger.identities.known("person", ["lending-q4-2026/lq4-101"])
        ledger.identities.record("person", [("fresh/F1", known[1], known[2])])
    page.reload()
    expect(page.locator("section:has(#same)")).to_contain_text("2 leads are one person")
    expect(page.locator("section:has(#same)").get_by_role("link", name="Nia Okoro").first).to_be_visible()
    act(page, "Unmerge")
    page.get_by_role("button", name="Unmerge").click()
    expect(page.locator("#act h2")).to_have_text("Taken apart")
    with opened_ledger(tab.service.settings) as ledger:
        assert [each.same for each in ledger.identities.decisions("person")] == [False]


@pytest.mark.parametrize(("which", "button"), [("dead letters", "Send again"), ("quarantine", "Ask again"), ("rejects", "Read again")])
def test_queues_are_replayed(tab: Tab, which: str, button: str) -> None:
    page = tab.open(PAGES[which])
    page.get_by_role("link", name=re.compile(f"^{button}")).first.click()
    expect(page.locator("#act h2")).to_have_text(button)
    page.get_by_role("button", name=re.compile("^Replay")).click()
    expect(page.locator("#act")).to_contain_text("It ended at")
    assert page.locator("#act .state-good").inner_text() == "completed"


def test_forget_asks_twice_and_leaves_nothing(tab: Tab) -> None:
    page = tab.open(PAGES["a lead of which nothing is known yet"])
    act(page, "Forget")
    page.get_by_role("button", name="Forget").click()
    expect(page.locator("#act h2")).to_have_text("Forget")  # the box is not ticked
    page.get_by_label("Forget this person for good").check()
    page.get_by_role("button", name="Forget").click()
    expect(page.locator("#act h2")).to_have_text("Forgotten")
    assert faults(page) == []
    assert "Nia Okoro" not in tab.open("/leads?q=okoro").content().replace('value="okoro"', "")
    expect(tab.open(PAGES["a lead of which nothing is known yet"]).get_by_role("heading", level=1)).to_have_text("Not found")


def test_signing_out_ends_it(tab: Tab) -> None:
    page = tab.open("/leads")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "Sign in" in tab.open("/leads").title()

"""What can be done with several leads of the list: those that are ticked, all of a page, or all that meet the filters.

First a page that says what would happen to how many, what it costs, and to whom nothing would; then a form that begins it once, however often it is sent; then
what became of each. What takes long is a job in a process of its own. Belongs here: which leads are meant, and the forms. Does not belong here: the work (see
`lead_assets.service.several`), actions on one lead (see `acting`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import polars as pl
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException

from lead_assets.estimating.estimate import estimate, price_of
from lead_assets.ledger.assignments_model import Move
from lead_assets.ledger.keys import ServiceKey
from lead_assets.service import write_api
from lead_assets.service.explorer import reading
from lead_assets.service.explorer.acting import demand_scope, refuse_key_with_budget
from lead_assets.service.explorer.asked import ListAsked, asked_in_text
from lead_assets.service.explorer.frame import MOST_TEXT, Page, Viewer, csv_of, lists_of, page, sessions_of
from lead_assets.service.explorer.sessions import SESSION
from lead_assets.service.jobs import JOB_ID
from lead_assets.service.paying import EnrichRefused, within
from lead_assets.service.several import GONE, LeadName, Tally, enrich_several, names_of, reroute_several, stored_leads

router = APIRouter(prefix="/explorer", route_class=Page, include_in_schema=False)

AT_ONCE = 50
"""Leads that are enriched while somebody waits; more are a job."""
MOST = {"enrich": 5_000, "reroute": 5_000, "retry": 5_000, "export": 1_000, "forget": 20}
"""Action → leads that it takes at once. People are forgotten one after the other, each with a search of everything, and it cannot be undone."""
NEEDS = {"enrich": "write", "reroute": "write", "retry": "write", "export": "read", "forget": "admin"}
NAMES = {"enrich": "Enrich", "reroute": "Re-route", "retry": "Retry", "export": "Export", "forget": "Forget"}
_SECONDS = 120
_ESTIMATED = 5_000
_MOST_USD = 10_000
_MOST_CAMPAIGNS = 100
_REMEMBERED = 100


@dataclass(frozen=True)
class Selection:
    """Leads that are meant: `leads` is a frame of contracts.Lead, `gone` are ticked ones that it has not. `every`: all that meet the filters of `asked`."""

    asked: ListAsked
    every: bool
    leads: pl.DataFrame
    gone: Sequence[LeadName]

    @property
    def names(self) -> list[LeadName]:
        return names_of(self.leads)

    @property
    def campaigns(self) -> dict[str, int]:
        """How many of each campaign, most first."""
        return dict(Counter(campaign for campaign, _ in self.names).most_common())

    @property
    def digest(self) -> str:
        """What tells this selection from another."""
        return sha256("\n".join(sorted("/".join(each) for each in self.names)).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass
class Begun:
    """What forms have begun: of a form that is sent twice, the second gets what the first one gets."""

    _tasks: OrderedDict[tuple[str, str], asyncio.Task[Any]] = field(default_factory=OrderedDict)

    def of(self, key: ServiceKey, once: str) -> asyncio.Task[Any] | None:
        return self._tasks.get((key.key_id, once))

    def begin(self, key: ServiceKey, once: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._tasks[key.key_id, once] = asyncio.create_task(work)
        # What failed can be tried again with the same form.
        task.add_done_callback(lambda done: self._tasks.pop((key.key_id, once), None) if done.cancelled() or done.exception() else None)
        while len(self._tasks) > _REMEMBERED:
            self._tasks.popitem(last=False)
        return task


@router.get("/selection")
async def reloaded(request: Request, key: Viewer) -> Response:
    """The address of a form's answer, opened again."""
    return RedirectResponse("/explorer/leads", 303)


@router.post("/selection")
async def ask_first(request: Request, key: Viewer) -> Response:
    """What an action on the selection would do, and its form. A file of leads that are all there is sent at once."""
    form = await _form(request)
    what = _one(form, "what")
    _allowed(what, key)
    if what == "export" and _one(form, "which") == "every":
        kept = asked_in_text(_one(form, "state"), pii=key.may("read-pii")).kept
        return RedirectResponse("/explorer/leads.csv?" + urlencode(kept), 303)
    chosen = await _selected(request, key, what, form)
    if what == "export" and not chosen.gone:
        return await _file(request, key, chosen)
    return await _asked(request, key, what, chosen)


@router.post("/selection/{what}")
async def act(request: Request, what: str, key: Viewer) -> Response:
    """The action."""
    form = await _form(request)
    _allowed(what, key)
    once, begun = _one(form, "once"), request.app.state.begun
    if not JOB_ID.fullmatch(once):
        raise HTTPException(422, "This form is not from the list: tick leads there.")
    task = begun.of(key, once)
    if task is None:
        chosen = await _selected(request, key, what, form)
        task = begun.of(key, once)  # a second click may have come meanwhile; nothing waits between this look and the beginning
    if task is None:
        if chosen.every and _one(form, "digest") != chosen.digest:
            return await _asked(request, key, what, chosen, 409, "The list has changed meanwhile: look at it again before you begin.")
        if what == "export":
            return await _file(request, key, chosen)
        if chosen.leads.is_empty():
            raise HTTPException(404, f"None of these leads is left: {GONE}.")
        try:
            work = _BEGUN[what](request, key, chosen, form, once)
        except _FormLacks as error:
            return await _asked(request, key, what, chosen, 422, str(error))
        for _, lead_id in chosen.names:
            request.app.state.access.note(key.key_id, f"POST /explorer/selection/{what}", 200, lead_id)
        task = begun.begin(key, once, work)
    try:
        return _answer(request, await asyncio.shield(task))
    except EnrichRefused as error:
        raise HTTPException(error.status_code, str(error.said.get("message", ""))) from None


class _FormLacks(Exception):
    """The form lacks something; the text says what."""


def actions_on_several(key: ServiceKey) -> tuple[list[tuple[str, str]], str]:
    """Actions that a key may take on a selection, with their names; and in words what the others need."""
    allowed = [(what, name) for what, name in NAMES.items() if key.may(NEEDS[what])]
    refused = [f"{name} needs {NEEDS[what]}" for what, name in NAMES.items() if not key.may(NEEDS[what])]
    return allowed, ", ".join(refused)


async def _form(request: Request) -> dict[str, list[str]]:
    form = await lists_of(request)
    sessions_of(request).check(request, {"token": _one(form, "token")}, SESSION)
    return form


def _one(form: dict[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _allowed(what: str, key: ServiceKey) -> None:
    if what not in NEEDS:
        raise HTTPException(404, "There is no such action.")
    demand_scope(key, NEEDS[what])


async def _selected(request: Request, key: ServiceKey, what: str, form: dict[str, list[str]]) -> Selection:
    """The leads that a form means. Raises HTTPException 422 for none, or too many."""
    state, pii = request.app.state, key.may("read-pii")
    asked = asked_in_text(_one(form, "state"), pii=pii)
    which, most = _one(form, "which"), MOST[what]
    if which == "every":
        names = await asyncio.to_thread(reading.names_of_all, state.warehouse, asked.wanted, most + 1, pii=pii, listing=state.listing)
    else:
        pairs = [text.partition("/") for text in dict.fromkeys(form.get("shown" if which == "page" else "lead", []))]
        names = [(campaign, lead) for campaign, _, lead in pairs if campaign and lead]
    if not names:
        raise HTTPException(422, "No lead is selected: tick some in the list, or choose all of the page.")
    if len(names) > most:
        many = f"More than {most:,}" if which == "every" else f"{len(names):,}"
        raise HTTPException(422, f"{many} leads are selected, and {NAMES[what]} takes at most {most:,} at once: narrow the list down.")
    leads = await asyncio.to_thread(stored_leads, state.warehouse, names)
    there = set(names_of(leads))
    return Selection(asked, which == "every", leads, [each for each in names if each not in there])


async def _file(request: Request, key: ServiceKey, chosen: Selection) -> Response:
    columns = chosen.asked.wanted.columns if chosen.asked.columns.is_own else ()
    names, pii = chosen.names, key.may("read-pii")
    found = await asyncio.to_thread(reading.these_leads, request.app.state.warehouse, names, columns, pii=pii)
    return csv_of(await asyncio.to_thread(reading.file_of, found, columns))


async def _asked(request: Request, key: ServiceKey, what: str, chosen: Selection, status: int = 200, said: str = "") -> Response:
    given = await _WORKED_OUT[what](request, key, chosen)
    pii = key.may("read-pii")
    examples = await asyncio.to_thread(reading.these_leads, request.app.state.warehouse, chosen.names[: MOST["forget"]], (), pii=pii)
    common = {
        "what": what,
        "name": NAMES[what],
        "chosen": chosen,
        "examples": examples,
        "back": chosen.asked.url,
        "state": urlencode(chosen.asked.kept),
        "token": sessions_of(request).token(request.cookies.get(SESSION, "")),
        "once": secrets.token_hex(16),
        "said": said,
        "at_once": AT_ONCE,
        "gone": GONE,
    }
    return page(request, "selection.html", status, **common, **given)


@dataclass(frozen=True)
class _Done:
    """What is shown of an action that has ended: what became of whom."""

    title: str
    told: str
    tally: Tally
    back: str
    ways: dict[tuple[str, str], int] = field(default_factory=dict)
    again: Sequence[LeadName] = ()
    """Leads whose campaigns' tables show it after a run."""


@dataclass(frozen=True)
class _Started:
    """A job that goes on by itself."""

    job_id: str


def _answer(request: Request, done: _Done | _Started) -> Response:
    if isinstance(done, _Started):
        return RedirectResponse(f"/explorer/jobs/{done.job_id}", 303)
    token = sessions_of(request).token(request.cookies.get(SESSION, ""))
    return page(request, "selection_done.html", done=done, tally=done.tally, token=token)


async def _price(request: Request, key: ServiceKey, chosen: Selection) -> dict[str, Any]:
    state = request.app.state
    price = await asyncio.to_thread(price_of, state.settings, state.ledger, chosen.leads)
    left = None
    if key.budget_micros is not None:
        left = max(0, key.budget_micros - await asyncio.to_thread(state.ledger.keys.spent_today, key.key_id)) / 1e6
    return {"price": price, "left": left}


def _enrich(request: Request, key: ServiceKey, chosen: Selection, form: dict[str, list[str]], once: str) -> Coroutine[Any, Any, Any]:
    try:
        most = float(_one(form, "max_usd"))
    except ValueError:
        most = -1.0
    if not 0 <= most <= _MOST_USD:
        raise _FormLacks(f"Say how many dollars it may cost at most, from 0 to {_MOST_USD:,}.")
    state, count = request.app.state, chosen.leads.height
    if count > AT_ONCE:
        lines = ["/".join(each) for each in chosen.names]
        return _started(request, once, "enrich", "--max-usd", repr(most), "--key", key.key_id, lines=lines)
    stores = {"ledger": state.ledger, "settings": state.settings, "archive": state.archive, "warehouse": state.warehouse}

    async def work() -> _Done:
        tally = await within(_SECONDS, lambda: enrich_several(chosen.leads, key, most, **stores))
        told = f"{len(tally.done):,} of {count + len(chosen.gone):,} leads are enriched, for at most ${tally.micros / 1e6:,.4f}."
        tally.but(GONE, *chosen.gone)
        told += " The tables show it after their campaigns' next run."
        return _Done("Enriched", told, tally, chosen.asked.url, again=_one_of_each_campaign(chosen))

    return work()


async def _rerouted(request: Request, key: ServiceKey, chosen: Selection) -> dict[str, Any]:
    return {"rerouted": await asyncio.to_thread(_reroute_by(request, Move("reroute", "", ""), chosen, dry_run=True))}


def _reroute_by(request: Request, move: Move, chosen: Selection, *, dry_run: bool) -> Callable[[], Any]:
    state = request.app.state
    stores = {"settings": state.settings, "warehouse": state.warehouse, "ledger": state.ledger}
    return lambda: reroute_several(chosen.leads, move, **stores, dry_run=dry_run)


def _reroute(request: Request, key: ServiceKey, chosen: Selection, form: dict[str, list[str]], once: str) -> Coroutine[Any, Any, Any]:
    move = Move("reroute", key.name, _one(form, "why").strip()[:MOST_TEXT] or "asked in the explorer")

    async def work() -> _Done:
        done = await asyncio.to_thread(_reroute_by(request, move, chosen, dry_run=False))
        told = f"{len(done.tally.done):,} of {chosen.leads.height + len(chosen.gone):,} leads have another owner."
        along = f" {done.along:,} more leads of the same accounts went along." if done.along else ""
        done.tally.but(GONE, *chosen.gone)
        told = f"{told}{along} The tables show it after their campaigns' next run."
        return _Done("Routed again", told, done.tally, chosen.asked.url, done.ways, _one_of_each_campaign(chosen))

    return work()


async def _missing(request: Request, key: ServiceKey, chosen: Selection) -> dict[str, Any]:
    """What a run of the campaigns would buy."""
    refuse_key_with_budget(key)
    state, campaigns = request.app.state, list(chosen.campaigns)
    counts = await asyncio.gather(*(asyncio.to_thread(reading.size_of, state.warehouse, each) for each in campaigns))
    price = None
    if sum(counts) <= _ESTIMATED:
        try:
            price = await asyncio.to_thread(estimate, state.settings, campaigns)
        except ValueError:  # not in the archive: its leads were written in another way
            price = None
    return {"price": price, "run": sum(counts)}


def _retry(request: Request, key: ServiceKey, chosen: Selection, form: dict[str, list[str]], once: str) -> Coroutine[Any, Any, Any]:
    refuse_key_with_budget(key)
    if len(chosen.campaigns) > _MOST_CAMPAIGNS:
        raise _FormLacks(f"These leads are of {len(chosen.campaigns):,} campaigns: a run takes at most {_MOST_CAMPAIGNS} from here.")
    return _started(request, once, "run", *(word for each in sorted(chosen.campaigns) for word in ("--campaign", each)))


async def _people(request: Request, key: ServiceKey, chosen: Selection) -> dict[str, Any]:
    known = chosen.leads.select(pl.any_horizontal(pl.col("email_normalized", "phone_e164").is_not_null())).to_series()
    return {"unknown": int((~known).sum())}


def _forget(request: Request, key: ServiceKey, chosen: Selection, form: dict[str, list[str]], once: str) -> Coroutine[Any, Any, Any]:
    if _one(form, "sure") != "yes":
        raise _FormLacks("Tick the box: this cannot be undone.")

    async def work() -> _Done:
        state, tally = request.app.state, Tally()
        for row in chosen.leads.iter_rows(named=True):
            name = (row["campaign_id"], row["lead_id"])
            if (await asyncio.to_thread(stored_leads, state.warehouse, [name])).is_empty():
                tally.but("forgotten with another lead of the same person", name)
                continue
            try:
                await write_api.erased_person(request, row)
                tally.done.append(name)
            except HTTPException as error:
                tally.but(f"not forgotten: {error.detail}", name)
        if state.listing is not None:
            await asyncio.to_thread(state.listing.refresh)
        shown = ", as a search of everything has shown for each. The receipts are in the archive" if tally.done else ""
        told = f"{_people_are(len(tally.done))} forgotten{shown}."
        tally.but(GONE, *chosen.gone)
        return _Done("Forgotten", told, tally, chosen.asked.url)

    return work()


def _people_are(count: int) -> str:
    return {0: "Nobody is", 1: "1 person is"}.get(count, f"{count:,} people are")


async def _nothing(request: Request, key: ServiceKey, chosen: Selection) -> dict[str, Any]:
    return {}


async def _started(request: Request, once: str, kind: str, *arguments: str, lines: Sequence[str] = ()) -> _Started:
    job = await asyncio.to_thread(lambda: request.app.state.jobs.begin(kind, *arguments, job_id=once, lines=lines))
    return _Started(job["job_id"])


def _one_of_each_campaign(chosen: Selection) -> list[LeadName]:
    """Leads whose campaigns are to be run: of a long list, one lead of each campaign says as much."""
    return list({campaign: (campaign, lead) for campaign, lead in chosen.names}.values())


_WORKED_OUT = {"enrich": _price, "reroute": _rerouted, "retry": _missing, "forget": _people, "export": _nothing}
_BEGUN = {"enrich": _enrich, "reroute": _reroute, "retry": _retry, "forget": _forget}

"""Finds leads inside objects and lists that no declared shape knows: `{"event": {"lead": {"email": …}}}`, `{"rows": [{…}, {…}]}`, `{"name": {"first": …}}`.

Only asked where a payload read by its own keys has no identity. Each value gets the name of its key, with the key above it where both together mean a
field; what is about the delivery ("owner", "form") stays as it came. Does not belong here: what a name means (see `headers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import orjson
import polars as pl

from lead_assets.core.emails import shared_mailboxes
from lead_assets.intake.headers import Headers, Meaning, fold_header, words_of
from lead_assets.intake.paths import is_blank

_DEEPEST = 8
_MOST_VALUES = 20_000
_LOOKED_AT = 20
"""How many entries of a list are asked whether they are people; most of them have to be."""
_LONGEST_TEXT = 64 << 10
_SENDER = frozenset({"from", "sender"})
_IDENTITY = frozenset({"email", "phone", "full_name", "first_name", "last_name", "linkedin_url"})
_REACHED = frozenset({"phone", "linkedin_url"})
_ADDRESS = re.compile(r"[\w.+'-]+@[\w-]+(?:\.[\w-]+)+")
_BRACKETS = re.compile(r"[^\[\]]+(?:\[[^\[\]]*\])+")
# Objects that are about who sent the payload and how. Their values name somebody else.
_NOT_THE_LEAD = frozenset((
    "accountmanager", "actor", "ad", "adset", "assignedto", "bcc", "campaign", "cc", "createdby", "eventmemberships", "form", "manager", "managers", "merchant",
    "modifiedby", "owner", "owners", "page", "recipient", "recipients", "replyto", "salesrep", "shop", "site", "store", "support", "team", "to", "updatedby",
    "userid", "webhook", "workspace",
))  # fmt: skip
# The same in longer names: "LastModifiedBy", "lead_owner", "admin_assignee". Who owns a house, or submitted a form, may be the lead.
_STAFF = frozenset(
    (
        "admin",
        "agent",
        "assignee",
        "author",
        "creator",
        "host",
        "organiser",
        "organizer",
        "rep",
        "representative",
        "salesperson",
        "teammate",
    )
)
_HAVE = frozenset(("executive", "manager", "owner"))
_HAD = frozenset(
    ("account", "campaign", "case", "company", "contact", "crm", "deal", "lead", "opportunity", "record", "sale", "task", "ticket")
)
_OURS = frozenset(("account", "alert", "assigned", "delivery", "notification", "notify", "our", "reply", "to"))
# Our people, as CRMs call them in their languages: an address of theirs is no lead's, if it is the only one.
_OUR_PEOPLE = frozenset((
    "advisor", "adviser", "bdr", "caseworker", "consultant", "coordinator", "employee", "handled", "handler", "manager", "operator", "owner", "reviewer",
    "sales", "sdr", "seller", "staff", "supervisor", "support", "ansprechpartner", "bearbeiter", "berater", "besitzer", "betreuer", "eigentumer", "mitarbeiter",
    "verkaufer", "vertrieb", "zustandig", "commercial", "conseiller", "gestionnaire", "proprietaire", "vendeur", "asesor", "comercial", "gestor", "propietario",
    "responsable", "vendedor", "consultor", "proprietario", "responsavel", "consulente", "responsabile", "venditore", "eigenaar", "medewerker", "verkoper",
    "handlowiec", "opiekun", "wlasciciel", "agare", "handlaggare", "saljare",
))  # fmt: skip
_DID = frozenset(("added", "assigned", "changed", "closed", "created", "deleted", "edited", "modified", "referred", "triggered", "updated"))
# Objects that are the lead, or hold nothing else: below others, a name or title is that of the object ("event": {"name": …}).
_THE_LEAD = frozenset((
    "answers", "applicant", "attendee", "attributes", "body", "borrower", "buyer", "client", "contact", "contacts", "content", "customer", "data", "details",
    "datajson",
    "entries", "entry", "fields", "formdata", "formresponse", "from", "guest", "invitee", "item", "items", "lead", "leads", "member", "node", "object",
    "payload", "people",
    "person", "personal", "profile", "properties", "prospect", "record", "records", "registrant", "responses", "result", "results", "rows", "sender", "sobject",
    "submission", "subscriber", "traits", "user", "users", "values", "visitor",
))  # fmt: skip
_OF_THE_OBJECT = frozenset(("id", "name", "title", "type", "status", "description", "url", "source", "createdat", "notes", "message"))
# A value's own key, where the key above it says what it is: {"email": {"value": …}}, {"phones": [{"number": …}]}.
_SAY_NOTHING = frozenset((
    "address", "answer", "business", "content", "default", "display", "formatted", "full", "href", "main", "mobile", "name", "number", "primary", "raw",
    "text", "url", "value", "values", "work",
))  # fmt: skip
_NAMES = ("name", "label", "question", "key", "title", "field", "ref", "id", "q")
_VALUES = ("value", "answer", "values", "answers", "response", "text", "content", "a")


def leads_within(payload: dict[str, Any], headers: Headers) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The leads in a payload: for each its part of the payload, and its values by name. Empty if nothing in it has a name that means an identity."""
    for entries in _lists(payload, 0):
        looked_at = entries[:_LOOKED_AT]
        if sum(_names_somebody(entry, headers) for entry in looked_at) * 2 > len(looked_at):
            return [(entry, _values_of(entry, headers)) for entry in entries]
    values = _values_of(_unfolded(payload), headers)
    found = {meaning.field for name in values if (meaning := headers.meaning(name))}
    if not found & _IDENTITY or ("email" not in found and not found & _REACHED):
        values = _with_the_only_address(values)
    return [(payload, values)] if found & _IDENTITY or "email" in values else []


def _unfolded(payload: dict[str, Any]) -> dict[str, Any]:
    """A form's fields as objects, where their names say so as PHP reads them: `fields[email][value]=…`."""
    if not any(_BRACKETS.fullmatch(key) for key in payload):
        return payload
    found: dict[str, Any] = {}
    for key, value in payload.items():
        # Not any number of steps: JSON so deep could not be written.
        is_path = _BRACKETS.fullmatch(key) and key.count("[") <= _DEEPEST
        path = [key.partition("[")[0], *re.findall(r"\[([^\[\]]*)\]", key)] if is_path else [key]
        place = found
        for step in path[:-1]:
            below = place.setdefault(step, {})
            place = below if type(below) is dict else {}
        place[path[-1]] = value
    return found


def _with_the_only_address(values: dict[str, Any]) -> dict[str, Any]:
    name = only_address(values)
    return values if name is None else {"email" if each == name else each: value for each, value in values.items()}


def only_address(values: dict[str, Any]) -> str | None:
    """The name of what is plainly a person's e-mail address, if no name says so ("Email-kom", or a form's field "2") and there is one; None otherwise."""
    addresses = {name: value.strip() for name, value in values.items() if type(value) is str and _ADDRESS.fullmatch(value.strip())}
    if len(set(addresses.values())) != 1 or any(
        _is_of_the_delivery(name) or not (_OURS | _OUR_PEOPLE).isdisjoint(words_of(name)) for name in addresses
    ):
        return None
    name, address = next(iter(addresses.items()))
    return None if shared_mailboxes(pl.Series([address.lower()])).item() else name


def is_worth_a_look(payload: dict[str, Any]) -> bool:
    """Whether there is more to a payload than its own keys say."""
    return any(
        (type(value) in (dict, list) and value) or (type(value) is str and (value[:1] == "{" or "@" in value)) for value in payload.values()
    )


@lru_cache(10_000)
def _is_of_the_delivery(key: str | int) -> bool:
    """Whether what stands there is about the sender, or the people who work on the lead."""
    if isinstance(key, int):
        return False
    if fold_header(key) in _NOT_THE_LEAD:
        return True
    words = {word.removesuffix("s") for word in words_of(key)}
    return (
        not words.isdisjoint(_STAFF)
        or (not words.isdisjoint(_HAVE) and not words.isdisjoint(_HAD))
        or ("by" in words and not words.isdisjoint(_DID))
        or {"assigned", "to"} <= words
    )


def _lists(value: Any, depth: int) -> Iterator[list[Any]]:
    """The lists of several objects, those nearest to the top first."""
    level = [value]
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for each in level:
            inner = each.items() if type(each) is dict else enumerate(each)
            for key, item in inner:
                if type(item) is list and len(item) > 1 and not _is_of_the_delivery(key) and all(type(entry) is dict for entry in item):
                    yield item
                if type(item) in (dict, list) and len(below) < _MOST_VALUES and not _is_of_the_delivery(key):
                    below.append(item)
        level = below


def _names_somebody(entry: dict[str, Any], headers: Headers) -> bool:
    """Whether it is a person by itself, and not an answer, an address or a phone of one."""
    if _answer(entry, headers) is not None:
        return False
    fields = {
        meaning.field for name, item in _values_of(entry, headers).items() if not is_blank(item) and (meaning := headers.meaning(name))
    }
    return bool(fields & {"email", "phone", "linkedin_url"}) or ("company" in fields and bool(fields & _IDENTITY))


def _values_of(payload: dict[str, Any], headers: Headers) -> dict[str, Any]:
    return named_apart(islice(_walked(payload, "", headers, 0), _MOST_VALUES))


def named_apart(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Names and values as an object; a name that comes again is `name_2`, `name_3` and so on."""
    values: dict[str, Any] = {}
    times: dict[str, int] = {}
    for name, value in pairs:
        unique = name
        while unique in values:
            times[name] = times.get(name, 1) + 1
            unique = f"{name}_{times[name]}"
        values[unique] = value
    return values


def _walked(value: dict[str, Any], above: str, headers: Headers, depth: int) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        kind = type(item)
        folded = fold_header(key)
        if kind is str:
            if item[:1] == "{" and (said := _of_json(item)):
                yield from _walked(said, key, headers, depth + 1)
            elif folded in _SENDER and "@" in item:
                yield "email", item
            else:
                yield _name(above, key, folded, headers), item
        elif (kind is dict or kind is list) and (depth >= _DEEPEST or _is_of_the_delivery(key)):
            yield key, item
        elif kind is dict and item:
            yield from _walked(item, key, headers, depth + 1)
        elif kind is list and any(type(entry) is dict for entry in item):
            yield from _of_entries(key, item, headers, depth + 1)
        else:
            yield _name(above, key, folded, headers), item


def _of_json(text: str) -> dict[str, Any] | None:
    """An object that was sent as text."""
    try:
        said = orjson.loads(text) if len(text) <= _LONGEST_TEXT else None
    except orjson.JSONDecodeError:
        return None
    return said if type(said) is dict else None


def _of_entries(key: str, entries: list[Any], headers: Headers, depth: int) -> Iterator[tuple[str, Any]]:
    for entry in entries:
        if type(entry) is not dict:
            yield key, entry
        elif (answer := _answer(entry, headers)) is not None:
            name, said = answer
            # {"field": "leadgen", "value": {…}}: what it says is more than an answer.
            yield from _walked(said, name, headers, depth) if type(said) is dict and depth < _DEEPEST else (answer,)
        else:
            yield from _walked(entry, key, headers, depth)


def _answer(entry: dict[str, Any], headers: Headers) -> tuple[str, Any] | None:
    """A question or name and its value, where the entry is no more than that."""
    names = [entry[name] for name in _NAMES if type(entry.get(name)) is str and entry[name].strip()]
    value = next((name for name in _VALUES if name in entry), None)
    if value is None or not names:
        return None
    return next((name for name in names if headers.meaning(name)), names[0]), entry[value]


def _name(above: str, key: str, folded: str, headers: Headers) -> str:
    """The name under which a value is looked up."""
    if not above:
        return _singular(key, headers)
    both = f"{above} {key}"
    if _exactly(both, headers):
        return both
    over = _singular(above, headers)
    if folded in _SAY_NOTHING and headers.meaning(over):
        return over
    if folded in _OF_THE_OBJECT and fold_header(above) not in _THE_LEAD:
        return f"{above}.{key}" if not headers.meaning(f"{above}.{key}") else f"({above}.{key})"
    return _singular(key, headers)


def _exactly(name: str, headers: Headers) -> Meaning | None:
    return headers.wordings.get(fold_header(name))


def _singular(key: str, headers: Headers) -> str:
    return key[:-1] if len(key) > 4 and key.endswith("s") and not headers.meaning(key) and headers.meaning(key[:-1]) else key

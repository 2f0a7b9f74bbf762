"""Payloads to typed columns: every value checked once, column by column; what does not fit is a reject that names the field.

Shapes: a `Chunk` in; out a frame of `RawLead`'s columns less those that only the receipt knows (`DROP_COLUMNS`), and rejects.
Does not belong here: JSON or CSV syntax (see `parse`) and normalising (see `lead_assets.identity`): text stays as it was written.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import orjson
import polars as pl

from lead_assets.contracts import RawLead, canonical_json
from lead_assets.intake.adapters import ADAPTERS, Adapter, choose
from lead_assets.intake.payloads import Chunk, Fault, Reject, campaign_of

RECEIPT_COLUMNS = ("campaign_id", "drop_sha256", "drop_name", "received_at")
DROP_SCHEMA = pl.Schema({name: dtype for name, dtype in RawLead.polars_schema().items() if name not in RECEIPT_COLUMNS})
"""What a payload says by itself: RawLead without what only the receipt of its drop knows."""
NOTHING = DROP_SCHEMA.to_frame()
"""No payload at all: making the empty frame anew for each small drop would cost as much as reading it."""

_IDS = frozenset({"lead_id", "source_campaign"})
_TEXT = [name for name, dtype in DROP_SCHEMA.items() if dtype == pl.String and name not in ("adapter", "payload", "extra")]
_TIMES = frozenset({"submitted_at", "outcome_at"})
_MIN_PHONE_DIGITS = 5
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
_NUMBER_NOISE = re.compile(r"(?:usd|us\$)|[$€£%\s_']", re.IGNORECASE)
_MAGNITUDES = {"k": 1e3, "m": 1e6, "mm": 1e6}
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_PLAIN_UTC = r"^\d{4}-\d\d-\d\dT[0-2]\d:[0-5]\d:[0-5]\dZ$"
_LINE_END = orjson.Fragment(b"\n")
_NOT_UNIFORM = (TypeError, OverflowError, ValueError, pl.exceptions.PolarsError)
"""What polars raises for a column that is not of one type; its values are then looked at one by one."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows(chunk: Chunk, *, documents: bool = True, adapters: tuple[Adapter, ...] = ADAPTERS) -> tuple[pl.DataFrame, list[Reject]]:
    """The chunk's leads in `DROP_SCHEMA`, in the order they stood, and all its rejects. Without `documents`, `payload` and `extra` are "{}"."""
    groups: dict[str, tuple[Adapter, list[int], set[str]]] = {}
    shapes: dict[tuple[str, ...], list[int]] = {}
    extras: dict[int, tuple[str, ...]] = {}
    for index, value in enumerate(chunk.values):
        shape = tuple(value)
        members = shapes.get(shape)
        if members is None:
            members = shapes[shape] = []
        members.append(index)
    headers = chunk.headers
    for shape, members in shapes.items():
        adapter = choose(shape if headers is None else [headers[name] for name in shape], is_csv=headers is not None, adapters=adapters)
        _, of_adapter, keys = groups.setdefault(adapter.name, (adapter, [], set()))
        of_adapter.extend(members)
        keys.update(shape)
        if documents and (unheld := _unheld(shape, adapter, headers)):
            for index in members:
                extras[index] = unheld
    frames: list[pl.DataFrame] = []
    rejects = list(chunk.rejects)
    for adapter, members, keys in groups.values():
        members.sort()
        frame, faulty = _group(chunk, adapter, members, keys, extras if documents else None)
        frames.append(frame)
        rejects += faulty
    frame = pl.concat(frames).sort("position") if frames else NOTHING
    return frame, sorted(rejects, key=lambda reject: reject.position)


def _unheld(shape: tuple[str, ...], adapter: Adapter, headers: dict[str, str] | None) -> tuple[str, ...]:
    """Keys of a shape whose value no column takes: unknown ones, and those that lose to another key of the same column."""
    taken: set[str] = set()
    by_key = {(key if headers is None else headers[key]): key for key in reversed(shape)}
    for keys in adapter.sources.values():
        first = next((by_key[key] for key in keys if key in by_key), None)
        if first is not None:
            taken.add(first)
    return tuple(key for key in shape if key not in taken)


def _group(
    chunk: Chunk, adapter: Adapter, members: list[int], keys: set[str], extras: dict[int, tuple[str, ...]] | None
) -> tuple[pl.DataFrame, list[Reject]]:
    """Leads of one adapter. `keys`: all keys that any of them has."""
    values = [chunk.values[index] for index in members] if len(members) < len(chunk.values) else chunk.values
    faults: dict[int, Fault] = {}
    of_key = {key: name for name, key in reversed(chunk.headers.items())} if chunk.headers is not None else {key: key for key in keys}
    columns: dict[str, pl.Series] = {}
    for column, candidates in adapter.sources.items():
        if names := [of_key[key] for key in candidates if key in of_key]:
            columns[column] = _typed(column, _values(values, names), names, values, faults)
    text = [name for name in _TEXT if name in columns]
    columns["position"] = pl.Series([chunk.positions[index] for index in members], dtype=pl.Int64)
    frame = pl.DataFrame(columns).with_columns(
        adapter=pl.lit(adapter.name),
        payload=pl.lit("{}") if extras is None else _documents(values),
        extra=_extras(values, members, extras) if extras else pl.lit("{}"),
    )
    frame = frame.with_columns(pl.col(text).str.strip_chars()).with_columns(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in text
    )
    # Columns that no payload has are added as nulls, all at once.
    frame = _identify(pl.concat([NOTHING, frame], how="diagonal"), adapter, faults)
    if not faults:
        return frame, []
    keep = pl.Series([index not in faults for index in range(len(members))], dtype=pl.Boolean)
    rejects = [
        Reject(chunk.positions[members[index]], chunk.raws[members[index]], fault, _own_campaign(values[index], of_key))
        for index, fault in faults.items()
    ]
    return frame.filter(keep), rejects


def _own_campaign(value: dict[str, Any], of_key: dict[str, str]) -> str | None:
    return campaign_of({key: value.get(of_key.get(key, key)) for key in ("campaign_id", "utm_campaign")})


def _values(values: list[dict[str, Any]], names: list[str]) -> list[Any]:
    """The first value that is neither null nor blank among the named keys of each payload."""
    if len(names) > 1:
        return [next((item for name in names if not _is_blank(item := value.get(name))), None) for value in values]
    try:
        return list(map(itemgetter(names[0]), values))
    except KeyError:
        return [value.get(names[0]) for value in values]


def _is_blank(item: Any) -> bool:
    return item is None or (type(item) is str and not item.strip())


def _typed(column: str, found: list[Any], names: list[str], values: list[dict[str, Any]], faults: dict[int, Fault]) -> pl.Series:
    dtype = DROP_SCHEMA[column]

    def refuse(index: int, code: str, reason: str) -> None:
        name = next((name for name in names if values[index].get(name) is not None), names[0])
        faults.setdefault(index, Fault(code, reason, name))

    if column in _TIMES:
        return _times(column, found, refuse)
    if dtype == pl.Float64:
        return _numbers(column, found, refuse)
    return _texts(column, found, refuse)


def _texts(column: str, found: list[Any], refuse: Callable[[int, str, str], None]) -> pl.Series:
    try:
        return pl.Series(column, found, dtype=pl.String, strict=True)
    except _NOT_UNIFORM:
        texts: list[str | None] = []
        for index, item in enumerate(found):
            if item is None or type(item) is str:
                texts.append(item)
            elif type(item) is int and column in _IDS:
                texts.append(str(item))  # an id may be written as a number; text may not
            else:
                texts.append(None)
                refuse(index, "wrong_type", f"{_kind(item)} stands where text belongs: send it as text or null")
        return pl.Series(column, texts, dtype=pl.String)


def _numbers(column: str, found: list[Any], refuse: Callable[[int, str, str], None]) -> pl.Series:
    if {int, float, type(None)}.issuperset(map(type, found)):
        with contextlib.suppress(*_NOT_UNIFORM):
            return pl.Series(column, found, dtype=pl.Float64)
    numbers: list[float | None] = []
    for index, item in enumerate(found):
        kind = type(item)
        if item is None or kind is float:
            numbers.append(item)
            continue
        number = None
        if kind is int:
            try:
                number = float(item)
            except OverflowError:
                refuse(index, "not_a_finite_number", "a number beyond a double's range: send a finite number or null")
        elif kind is str:
            if item.strip():
                number = _lenient_number(item)
                if number is None:
                    refuse(index, "not_a_number", "the text is not a number: send digits, as in 450000 or $450,000")
                elif not math.isfinite(number):
                    number = None
                    refuse(index, "not_a_finite_number", "NaN, Infinity or a number beyond a double's range: send a finite number or null")
        else:
            refuse(index, "wrong_type", f"{_kind(item)} stands where a number belongs: send a number or null")
        numbers.append(number)
    return pl.Series(column, numbers, dtype=pl.Float64)


def _kind(item: Any) -> str:
    names: dict[type, str] = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object", str: "text"}
    return names.get(type(item), type(item).__name__)


def _lenient_number(text: str) -> float | None:
    """450000, "$450,000", "1.2e6", "450k", "1.2M", "85%"; None for anything else, and for what two conventions read differently ("450.000,00")."""
    bare = _NUMBER_NOISE.sub("", text).casefold()
    if bare.lstrip("+-") in ("nan", "inf", "infinity"):
        return math.nan
    scale = 1.0
    for suffix in ("mm", "m", "k"):
        if bare.endswith(suffix):
            bare, scale = bare.removesuffix(suffix), _MAGNITUDES[suffix]
            break
    if _GROUPED.fullmatch(bare):
        bare = bare.replace(",", "")
    return float(bare) * scale if _NUMBER.fullmatch(bare) else None


def _times(column: str, found: list[Any], refuse: Callable[[int, str, str], None]) -> pl.Series:
    texts = pl.Series(column, [item if type(item) is str else None for item in found], dtype=pl.String)
    plain = texts.set(~texts.str.contains(_PLAIN_UTC).fill_null(False), None)
    times = plain.str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC", strict=False)
    odd: dict[int, int] = {}
    for index in times.is_null().arg_true().to_list():
        item = found[index]
        if _is_blank(item):
            continue
        try:
            moment = datetime.fromisoformat(item.strip())
            since = (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment) - _EPOCH
            odd[index] = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
        except (ValueError, TypeError, AttributeError, OverflowError):
            refuse(index, "bad_timestamp", "not an ISO 8601 time: send it like 2026-11-01T09:00:00Z (UTC where no zone is given)")
    if odd:
        times = times.scatter(list(odd), pl.Series(list(odd.values()), dtype=pl.Int64).cast(times.dtype))
    return times


def _documents(values: list[dict[str, Any]]) -> pl.Series:
    """The values as JSON with sorted keys. One call writes them all, with line ends between, which JSON itself never holds unescaped: 20 times as fast
    as a call for each.
    """
    separated: list[Any] = [_LINE_END] * (2 * len(values) - 1)
    separated[::2] = values
    try:
        texts = orjson.dumps(separated, option=orjson.OPT_SORT_KEYS)[1:-1].split(b",\n,")
    except TypeError:  # an integer beyond 64 bits, which was read exactly
        texts = [canonical_json(value).encode() for value in values]
    return pl.Series(texts, dtype=pl.Binary).cast(pl.String)


def _extras(values: list[dict[str, Any]], members: list[int], extras: dict[int, tuple[str, ...]]) -> pl.Series:
    none: tuple[str, ...] = ()
    return _documents([{key: value[key] for key in extras.get(index, none)} for value, index in zip(values, members, strict=True)])


def _identify(frame: pl.DataFrame, adapter: Adapter, faults: dict[int, Fault]) -> pl.DataFrame:
    """Refuses who cannot be told apart from anybody, and names those whose sender did not."""
    from lead_assets.core.emails import normalise_emails

    valid = normalise_emails(frame["email"])["valid"].fill_null(True)
    for index in (~valid).arg_true().to_list():
        faults.setdefault(
            index, Fault("invalid_email", "not a possible e-mail address: correct it, or send null and another identity", "email")
        )
    # Most leads have both an id and an e-mail: what they are told apart by is not worked out.
    unsure = frame.with_row_index("_index").filter(pl.col("email").is_null() | pl.col("lead_id").is_null())
    if unsure.is_empty():
        return frame
    digits = pl.col("phone").str.replace_all(r"\D", "")
    name = pl.coalesce("full_name", pl.concat_str(pl.col("first_name", "last_name"), separator=" ", ignore_nulls=True))
    identities = unsure.select(
        pl.coalesce(
            "email:" + pl.col("email").str.to_lowercase(),
            pl.when(digits.str.len_bytes() >= _MIN_PHONE_DIGITS).then("phone:" + digits),
            "linkedin:" + pl.col("linkedin_url").str.to_lowercase().str.strip_chars_end("/"),
            pl.when(pl.col("company").is_not_null() & (name != "")).then("person:" + (name + "|" + pl.col("company")).str.to_lowercase()),
        )
    ).to_series()
    for index in unsure["_index"].filter(identities.is_null()).to_list():
        faults.setdefault(index, Fault("no_identity", "no e-mail, phone, LinkedIn profile, or name with company: send at least one"))
    derived = [f"ld_{hashlib.sha256(text.encode()).hexdigest()[:16]}" if text else None for text in identities.to_list()]
    ids = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height).scatter(unsure["_index"], pl.Series(derived, dtype=pl.String))
    return frame.with_columns(lead_id=pl.coalesce("lead_id", ids))

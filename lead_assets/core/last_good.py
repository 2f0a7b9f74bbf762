"""The last good rules: if somebody saves a broken file in LEAD_ASSETS_RULES_DIR, the folder as it last passed the check stays in force, and everyone is told.

A folder that passes is copied below <home>/rules_in_force/. If it fails later, a note says so, with the faults and the state of the folder that failed;
as long as the folder stays in that state, every process reads the copy. Rules refer to each other, so it is always the folder as a whole.

Belongs here: keeping the copy, and which folder is in force. Does not belong here: what is good (see `lead_assets.rules.check`).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from lead_assets.core.settings import Settings

_log = logging.getLogger(__name__)
_judging: ContextVar[bool] = ContextVar("judging", default=False)
_ENDINGS = (".yaml", ".yml", ".json")


@contextmanager
def as_saved() -> Iterator[None]:
    """Reads the user's own folder even if it is broken, to judge it."""
    token = _judging.set(True)
    try:
        yield
    finally:
        _judging.reset(token)


def folder_in_force(settings: Settings) -> Path | None:
    """LEAD_ASSETS_RULES_DIR, or the copy of it that stays in force; None if it is not set."""
    folder = settings.rules_dir
    if folder is None or _judging.get():
        return folder
    note = _note(settings)
    if note is None or note["state"] != _state(folder):
        return folder
    copy = _place(settings) / str(note["copy"])
    return copy if copy.is_dir() else folder


def faults_passed_over(settings: Settings) -> tuple[str, ...]:
    """The faults in the user's folder, if its last good copy is in force instead."""
    if settings.rules_dir is None or folder_in_force(settings) == settings.rules_dir:
        return ()
    faults = (_note(settings) or {}).get("faults")
    return tuple(map(str, faults)) if isinstance(faults, list) else ()


def keep(settings: Settings) -> None:
    """Remember the user's folder, which has passed the check."""
    folder = settings.rules_dir
    if folder is None or not folder.is_dir():
        return
    try:
        _broken(settings).unlink(missing_ok=True)
        name, last = _content(folder), _place(settings) / "last"
        if last.is_file() and last.read_text("utf-8") == name and (_place(settings) / name).is_dir():
            return
        _copy(folder, _place(settings) / name)
        _write(last, name)
    except OSError as error:
        _log.warning("rules: the last good ones cannot be kept in %s (%s)", _place(settings), type(error).__name__)


def fall_back(settings: Settings, faults: Sequence[str]) -> bool:
    """Put the last good copy in force, because the folder has these faults. False if there is none."""
    folder, last = settings.rules_dir, _place(settings) / "last"
    if folder is None or not folder.is_dir() or not last.is_file() or not (_place(settings) / last.read_text("utf-8")).is_dir():
        return False
    _write(_broken(settings), json.dumps({"state": _state(folder), "copy": last.read_text("utf-8"), "faults": list(faults)}))
    return True


def give_up(settings: Settings) -> None:
    """The copy is no good either."""
    _broken(settings).unlink(missing_ok=True)


def _note(settings: Settings) -> dict[str, object] | None:
    try:
        found: dict[str, object] = json.loads(_broken(settings).read_bytes())
        return found
    except (OSError, ValueError):
        return None


def _place(settings: Settings) -> Path:
    return settings.home / "rules_in_force"


def _broken(settings: Settings) -> Path:
    return _place(settings) / "broken.json"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.casefold() in _ENDINGS and path.is_file())


def _state(folder: Path) -> str:
    stamps = [(str(path.relative_to(folder)), (stat := path.stat()).st_mtime_ns, stat.st_size, stat.st_ino) for path in _files(folder)]
    return hashlib.sha256(json.dumps([str(folder.resolve()), stamps]).encode()).hexdigest()


def _content(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _copy(folder: Path, to: Path) -> None:
    """All or nothing: other processes may look for it."""
    part = to.with_name(f".{to.name}.{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    for path in _files(folder):
        copied = part / path.relative_to(folder)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
    if to.is_dir():
        shutil.rmtree(part)
    else:
        part.rename(to)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text(text, "utf-8")
    part.replace(file)

"""Objects in a Google Cloud Storage bucket, through Google's own client.

Google's client retries (exponentially, on 408, 429, 5xx and lost connections), and every write carries a precondition, without which retrying
a write is not safe: https://cloud.google.com/storage/docs/retry-strategy. Every write sends a checksum (CRC32C) and every read verifies it.
"""

from __future__ import annotations

import functools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from lead_assets.stores.objects.base import Entry, ObjectChanged, StoreError, hashed_copy

if TYPE_CHECKING:
    from google.cloud import storage

_CORRUPTED = 3
"""Attempts to transfer bytes that arrive with a wrong checksum: a network error goes away, a broken machine does not."""
_ASK_SECONDS = 60.0
_TYPES = {".gz": "application/x-ndjson", ".ndjson": "application/x-ndjson", ".json": "application/json"}
_FIELDS = "items(name,size,generation,timeCreated),prefixes,nextPageToken"

T = TypeVar("T")


class Bucket:
    """See `lead_assets.stores.objects.Objects`. `first_wait`: seconds before the first retry; `patience`: seconds before giving up on a call."""

    def __init__(self, location: str, *, first_wait: float = 1.0, patience: float = 120.0) -> None:
        self._name, _, prefix = location.removeprefix("gs://").rstrip("/").partition("/")
        if not self._name:
            raise ValueError(f"{location!r} names no bucket: use gs://<bucket> or gs://<bucket>/<prefix>")
        self.location = location.rstrip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._first_wait, self._patience = first_wait, patience
        self._opening = threading.Lock()

    def put(self, name: str, data: bytes) -> bool:
        # Create only: a retry after a lost answer finds its own object, and nothing is overwritten.
        return self._write(name, data, if_generation_match=0)

    def replace(self, name: str, data: bytes) -> None:
        self._write(name, data, if_generation_match=None)  # writing it twice gives the same object

    def get(self, name: str, entry: Entry | None = None) -> bytes:
        return self._download(name, entry, lambda blob, **how: cast(bytes, blob.download_as_bytes(**how)))

    def fetch(self, name: str, into: IO[bytes], entry: Entry | None = None) -> None:
        def download(blob: storage.Blob, **how: Any) -> None:
            into.seek(0)
            into.truncate()
            blob.download_to_file(into, **how)

        self._download(name, entry, download)

    def open(self, name: str) -> BinaryIO:
        copy = tempfile.TemporaryFile(prefix="lead-assets-")  # noqa: SIM115 - closed by whoever opened it
        try:
            self.fetch(name, copy)
        except BaseException:
            copy.close()
            raise
        copy.seek(0)
        return cast(BinaryIO, copy)

    def keep(self, stream: BinaryIO, name_of: Callable[[str], str]) -> tuple[str, int, bool]:
        # The name must be known before the first byte is sent, and the bytes sent must be the bytes hashed.
        with tempfile.TemporaryFile(prefix="lead-assets-") as copy:
            sha256, size = hashed_copy(stream, copy)

            def send(blob: storage.Blob, **how: Any) -> None:
                copy.seek(0)
                blob.upload_from_file(copy, size=size, **how)

            return sha256, size, self._upload(name_of(sha256), send, if_generation_match=0)

    def _download(self, name: str, entry: Entry | None, fetch: Callable[..., T]) -> T:
        from google.api_core.exceptions import NotFound, PreconditionFailed
        from google.cloud.storage.exceptions import DataCorruption

        generation = int(entry.version) if entry is not None else None

        def download() -> T:
            try:
                return fetch(
                    self._blob(name),
                    if_generation_match=generation,
                    raw_download=True,
                    checksum="crc32c",
                    retry=self._retry(),
                    timeout=_ASK_SECONDS,
                )
            except NotFound:
                raise FileNotFoundError(f"{self.location}/{name} does not exist") from None
            except PreconditionFailed:
                raise ObjectChanged(f"{name} was replaced after it was listed") from None

        return self._uncorrupted(name, download, lambda error: isinstance(error, DataCorruption))

    def holds(self, name: str) -> bool:
        return self._said(lambda: bool(self._blob(name).exists(retry=self._retry(), timeout=_ASK_SECONDS)))

    def entries(self, prefix: str = "", *, start: str = "", end: str = "") -> Iterator[Entry]:
        pages = self._list(prefix, start_offset=self._prefix + start if start else None, end_offset=self._prefix + end if end else None)
        while (page := self._said(lambda: next(pages, None))) is not None:
            for blob in page:
                if not blob.name.endswith("/"):  # a placeholder that consoles create for an empty folder
                    arrived = blob.time_created.timestamp() if blob.time_created else 0.0
                    yield Entry(blob.name[len(self._prefix) :], int(blob.size or 0), str(blob.generation), arrived, whole=True)

    def names(self, prefix: str) -> list[str]:
        return [entry.name for entry in self.entries(prefix)]

    def move(self, entry: Entry, name: str) -> None:
        from google.api_core.exceptions import NotFound, PreconditionFailed

        def copy() -> None:
            source, target, token = self._blob(entry.name), self._blob(name), None
            while True:
                token, _, _ = target.rewrite(
                    source,
                    token=token,
                    if_generation_match=0,
                    if_source_generation_match=int(entry.version),
                    retry=self._retry(),
                    timeout=_ASK_SECONDS,
                )
                if token is None:
                    return

        def gone(error: Exception) -> bool:
            return isinstance(error, NotFound | PreconditionFailed)

        try:
            self._said(copy, passing=gone)
        except NotFound:
            raise FileNotFoundError(f"{self.location}/{entry.name} does not exist") from None
        except PreconditionFailed:
            if not self.holds(name):  # otherwise an earlier attempt copied it, and only the rest remains to be done
                raise ObjectChanged(f"{entry.name} was replaced after it was listed") from None
        self.remove(entry)

    def remove(self, entry: Entry) -> None:
        from google.api_core.exceptions import NotFound, PreconditionFailed

        def delete() -> None:
            self._blob(entry.name).delete(if_generation_match=int(entry.version), retry=self._retry(), timeout=_ASK_SECONDS)

        try:
            self._said(delete, passing=lambda error: isinstance(error, NotFound | PreconditionFailed))
        except (NotFound, PreconditionFailed):
            if self.holds(entry.name):  # otherwise it is gone: deleted by an attempt whose answer was lost, or by its sender
                raise ObjectChanged(f"{entry.name} was replaced after it was listed") from None

    def folders(self, prefix: str) -> list[str]:
        found: set[str] = set()
        pages = self._list(prefix, delimiter="/")
        while (page := self._said(lambda: next(pages, None))) is not None:
            found.update(page.prefixes)
        below = len(self._prefix + prefix)
        return sorted(name[below:].rstrip("/") for name in found)

    def _write(self, name: str, data: bytes, *, if_generation_match: int | None) -> bool:
        return self._upload(name, lambda blob, **how: blob.upload_from_string(data, **how), if_generation_match=if_generation_match)

    def _upload(self, name: str, send: Callable[..., None], *, if_generation_match: int | None) -> bool:
        from google.api_core.exceptions import BadRequest, PreconditionFailed

        content_type = next((kind for ending, kind in _TYPES.items() if name.endswith(ending)), "application/octet-stream")

        def upload() -> bool:
            try:
                send(
                    self._blob(name),
                    content_type=content_type,
                    if_generation_match=if_generation_match,
                    checksum="crc32c",
                    retry=self._retry(),
                    timeout=_ASK_SECONDS,
                )
            except PreconditionFailed:
                return False
            return True

        return self._uncorrupted(name, upload, lambda error: isinstance(error, BadRequest) and "crc32c" in str(error).lower())

    def _list(self, prefix: str, **options: Any) -> Iterator[Any]:
        listed = self._client.list_blobs(
            self._name, prefix=self._prefix + prefix, fields=_FIELDS, retry=self._retry(), timeout=_ASK_SECONDS, **options
        )
        pages: Iterator[Any] = listed.pages
        return pages

    def _blob(self, name: str) -> storage.Blob:
        return self._client.bucket(self._name).blob(self._prefix + name)

    @property
    def _client(self) -> storage.Client:
        with self._opening:
            return self._opened

    @functools.cached_property
    def _opened(self) -> storage.Client:
        # Imported here because Google's packages take a quarter of a second to load, which every run would pay.
        from google.auth.exceptions import DefaultCredentialsError
        from google.cloud import storage

        try:
            return storage.Client(project=None)
        except DefaultCredentialsError:
            raise StoreError(
                f"{self.location}: no Google credentials: run under a service account, or set GOOGLE_APPLICATION_CREDENTIALS to its key file"
            ) from None

    def _retry(self) -> Any:
        from google.cloud.storage.retry import DEFAULT_RETRY

        return DEFAULT_RETRY.with_delay(initial=self._first_wait, maximum=30.0, multiplier=2.0).with_timeout(self._patience)

    def _uncorrupted(self, name: str, work: Callable[[], T], is_corruption: Callable[[Exception], bool]) -> T:
        for attempt in range(1, _CORRUPTED + 1):
            try:
                return self._said(work, passing=is_corruption)
            except Exception as error:
                if not is_corruption(error):
                    raise
                time.sleep(self._first_wait * attempt)
        raise StoreError(
            f"{self.location}/{name}: its checksum was wrong {_CORRUPTED} times, so nothing was stored. Check the network (a proxy that rewrites bodies?), "
            f"then run again",
            passing=True,
        )

    def _said(self, work: Callable[[], T], passing: Callable[[Exception], bool] = lambda error: False) -> T:
        """Run the work and translate Google's errors to ours, without request or response bodies."""
        from google.api_core.exceptions import GoogleAPIError, NotFound, RetryError
        from google.auth.exceptions import GoogleAuthError
        from requests.exceptions import RequestException

        try:
            return work()
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            if passing(error):
                raise
            cause = error.cause if isinstance(error, RetryError) else error
            # Uploads and downloads carry the status in their response, other calls in a code.
            code = getattr(getattr(cause, "response", None), "status_code", None) or getattr(cause, "code", None)
            status = f"HTTP {int(code)}" if code is not None else type(cause).__name__
            after = f" after {self._patience:.0f} s of retries" if isinstance(error, RetryError) else ""
            advice = (
                "create the bucket or correct its name" if isinstance(cause, NotFound) else _ADVICE.get(int(code or 0), "try again later")
            )
            passes = code is None or int(code) in (408, 429) or int(code) >= 500
            raise StoreError(f"{self.location}: Google Cloud Storage said {status}{after}: {advice}", passing=passes) from None


_ADVICE = {
    401: "renew the service account's credentials",
    403: "grant the service account storage.objects.create, get, list and delete on the bucket",
    429: "too many requests to the bucket, run again later",
}

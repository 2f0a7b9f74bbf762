"""Objects by name, in a local folder or in a bucket of Google Cloud Storage: one interface, so that archive and landing zone are one code path.

Belongs here: how bytes are put, read and listed. Does not belong here: what the names mean (see `lead_assets.stores.archive`, `lead_assets.intake.landing`).

Why not fsspec: it has no "only if it is not there yet", no generations and no listing from an offset, which is what makes writers on several
machines safe and a landing zone of a million objects cheap to watch.
"""

from __future__ import annotations

from pathlib import Path

from lead_assets.stores.objects.base import Entry, ObjectChanged, Objects, StoreError

__all__ = ["Entry", "ObjectChanged", "Objects", "StoreError", "open_objects"]


def open_objects(location: str) -> Objects:
    """The store at a location: a folder's path, file://… or gs://bucket/prefix. Opened on first use. Raises ValueError for any other scheme."""
    scheme, separator, rest = location.partition("://")
    if not separator or scheme == "file":
        from lead_assets.stores.objects.folder import Folder

        return Folder(Path(rest if separator else location))
    if scheme == "gs":
        from lead_assets.stores.objects.bucket import Bucket

        return Bucket(location)
    raise ValueError(f"objects cannot be kept at {scheme}://…: use a folder's path or gs://<bucket>/<prefix>")

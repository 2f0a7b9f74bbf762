"""Named objects in a local folder or a Google Cloud Storage bucket. One interface, so that archive and landing zone have one code path.

Belongs here: writing, reading and listing bytes. Does not belong here: the meaning of names (see `lead_assets.stores.archive`, `lead_assets.intake.landing`).

Why not fsspec: it lacks create-if-absent, generations and listing from an offset, which are what make writers on several
machines safe and a landing zone of a million objects cheap to watch.
"""

from __future__ import annotations

from pathlib import Path

from lead_assets.stores.objects.base import Entry, ObjectChanged, Objects, StoreError

__all__ = ["Entry", "ObjectChanged", "Objects", "StoreError", "open_objects"]


def open_objects(location: str) -> Objects:
    """The store at a location: a folder path, file://… or gs://bucket/prefix. Opened on first use. Raises ValueError for other schemes."""
    scheme, separator, rest = location.partition("://")
    if not separator or scheme == "file":
        from lead_assets.stores.objects.folder import Folder

        return Folder(Path(rest if separator else location))
    if scheme == "gs":
        from lead_assets.stores.objects.bucket import Bucket

        return Bucket(location)
    raise ValueError(f"objects cannot be stored at {scheme}://…: use a folder path or gs://<bucket>/<prefix>")

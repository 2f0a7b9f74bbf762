"""What the OpenAPI document says beyond the routes: how to send a key, and which refusals every call may answer with.

Does not belong here: routes and their own answers (where they are).
"""

from __future__ import annotations

import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

_REFUSALS = {
    "400": "A key in the URL, or a request that is no HTTP as it should be",
    "401": "No valid key or signature",
    "403": "The key lacks the scope",
    "404": "There is no such thing, or nobody may know of it any more",
    "405": "The path knows other methods",
    "408": "The body did not arrive in time",
    "409": "Not now: a run is in progress, or somebody must not be processed",
    "413": "The body is too large",
    "415": "Not a type that is read here",
    "422": "What is wrong, with the field",
    "429": "Too fast for this key",
    "502": "A vendor refused or did not answer as it should",
    "503": "A store does not answer, or something is not set up: try again later",
    "504": "It took longer than max_seconds; what was bought is in the ledger",
}
_OPEN = {"/health"}
_REFUSAL = {
    "title": "Refusal",
    "type": "object",
    "description": "Why a call was refused. `detail` is a text, or a list of faults with the field of each; `error` a word for programs.",
    "properties": {"detail": {}, "error": {"type": "string"}, "message": {"type": "string"}, "quarantine_id": {"type": "string"}},
}


def operation_id(route: APIRoute) -> str:
    """Its method and path in words: what functions of generated clients are called."""
    words = [word for word in re.split(r"\W+", route.path_format) if word not in ("", "api")]
    return "_".join([min(route.methods or {"get"}).lower(), *words])


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of the application, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        parts = document.setdefault("components", {})
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer", "description": "A key of `lead-assets keys create`"}}
        parts.setdefault("schemas", {})["Refusal"] = _REFUSAL
        for path, methods in document["paths"].items():
            for call in methods.values():
                if path not in _OPEN and "security" not in call:
                    call["security"] = [{"key": []}]
                for status, why in _REFUSALS.items():
                    said = call["responses"].setdefault(status, {"description": why})
                    said["content"] = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
        app.openapi_schema = document
    return app.openapi_schema

"""The page at /docs: every call with its parameters and an example, from the OpenAPI description. Plain HTML, so that nothing is fetched from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any


def reference_page(described: dict[str, Any]) -> str:
    """The page for an OpenAPI document."""
    calls = [
        _call(path, method, call)
        for path, methods in sorted(described["paths"].items())
        for method, call in methods.items()
        if "responses" in call
    ]
    title = escape(described["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}: calls</title>'
        f"</head><body><main><h1>{title} {escape(described['info']['version'])}</h1><p>{escape(described['info'].get('description', ''))}</p>"
        f'<p>The same for machines: <a href="/openapi.json">openapi.json</a></p>{"".join(calls)}</main></body></html>'
    )


def _call(path: str, method: str, call: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td><td>{escape(each.get('description') or '')}</td></tr>"
        for each in call.get("parameters", [])
    )
    table = f"<table><thead><tr><th>parameter</th><th>in</th><th></th></tr></thead><tbody>{rows}</tbody></table>" if rows else ""
    answers = "".join(
        f"<li><code>{escape(status)}</code> {escape(answer.get('description', ''))}</li>" for status, answer in call["responses"].items()
    )
    return (
        f"<section><h2><code>{method.upper()} {escape(path)}</code></h2><p><strong>{escape(call.get('summary', ''))}.</strong> "
        f"{escape(call.get('description', ''))}</p>{table}{_example(call)}<ul>{answers}</ul></section>"
    )


def _example(call: dict[str, Any]) -> str:
    content = call.get("requestBody", {}).get("content", {}).get("application/json", {})
    named = content.get("examples") or ({"": {"value": content["example"]}} if "example" in content else {})
    return "".join(f"<pre>{escape(json.dumps(each['value'], indent=2))}</pre>" for each in named.values())

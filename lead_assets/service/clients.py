"""Clients made from the OpenAPI document: a typed Python client in one file, and a Postman collection.

`python -m lead_assets.service.clients clients` (`make clients`) writes them; a test keeps them current.
Does not belong here: what the document says (see `describing` and the routes).
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_HEAD = '''"""Typed client of lead_assets' HTTP API. Made from its OpenAPI document by `make clients`; do not edit. Needs httpx.

    with LeadAssets("http://127.0.0.1:8000", key) as leads:
        leads.post_v1_leads_search({"filters": {"tier": "hot"}})
"""

from __future__ import annotations

from types import TracebackType
from typing import Any, Literal, NotRequired, Self, TypedDict, cast
from urllib.parse import quote

import httpx


class Refused(Exception):
    """The service refused: `status`, and `said`, what it answered."""

    def __init__(self, status: int, said: Any) -> None:
        super().__init__(f"{status}: {said}")
        self.status = status
        self.said = said

'''
_CLASS = '''

class LeadAssets:
    """The service at `base_url`, called with `key` (of `lead-assets keys create`)."""

    def __init__(self, base_url: str, key: str, *, timeout: float = 60.0) -> None:
        self.http = httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()

    def _call(self, method: str, path: str, query: dict[str, Any], body: Any = None, content_type: str = "application/json") -> Any:
        given = {name: value for name, value in query.items() if value is not None}
        if body is None:
            answer = self.http.request(method, path, params=given)
        elif isinstance(body, bytes):
            answer = self.http.request(method, path, params=given, content=body, headers={"Content-Type": content_type})
        else:
            answer = self.http.request(method, path, params=given, json=body)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        said = answer.json() if is_json else answer.content
        if answer.is_error:
            raise Refused(answer.status_code, said)
        return said
'''


def python_client(document: Mapping[str, Any]) -> str:
    """The source of the client."""
    schemas = document["components"]["schemas"]
    models = "\n\n".join(_model(name, schema) for name, schema in sorted(schemas.items()) if _is_wanted(name))
    methods = "\n".join(_method(path, method, call) for path, method, call in _calls(document))
    return f"{_HEAD}\n{models}\n{_CLASS}\n{methods}"


def postman_collection(document: Mapping[str, Any]) -> dict[str, Any]:
    """The collection (format 2.1): a folder for each tag; `baseUrl` and `key` are its variables."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, method, call in _calls(document):
        folders.setdefault((call.get("tags") or ["other"])[0], []).append(_request(document, path, method, call))
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"].get("description", ""),
            "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{key}}", "type": "string"}]},
        "variable": [{"key": "baseUrl", "value": "http://127.0.0.1:8000"}, {"key": "key", "value": ""}],
        "item": [{"name": tag, "item": requests} for tag, requests in sorted(folders.items())],
    }


def _calls(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in sorted(document["paths"].items()):
        for method, call in sorted(methods.items()):
            yield path, method, call


def _is_wanted(name: str) -> bool:
    return name not in ("HTTPValidationError", "ValidationError")


def _model(name: str, schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    lines = [f"class {name}(TypedDict):", f'    """{_text(schema.get("description") or schema.get("title") or name)}"""', ""]
    for field, own in schema.get("properties", {}).items():
        kind = _type(own)
        lines.append(f"    {field}: {kind if field in required else f'NotRequired[{kind}]'}")
    return "\n".join(lines) + "\n"


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        return f"list[{_type(schema.get('items', {}))}]"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"dict[str, {_type(inner) if isinstance(inner, dict) else 'Any'}]"
    return {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}.get(str(kind), "Any")


def _method(path: str, method: str, call: Mapping[str, Any]) -> str:
    parameters = call.get("parameters", [])
    in_path = [each for each in parameters if each["in"] == "path"]
    in_query = [each for each in parameters if each["in"] == "query"]
    body = call.get("requestBody", {}).get("content", {})
    signature = ["self", *(f"{_name(each['name'])}: str" for each in in_path)]
    if body:
        schema = body.get("application/json", {}).get("schema", {})
        signature.append(f"body: {_type(schema)}" if "$ref" in schema else "body: Any")
    options = [f"{_name(each['name'])}: {_optional(_type(each['schema']))} = None" for each in in_query]
    if body and "$ref" not in body.get("application/json", {}).get("schema", {}):
        options.append('content_type: str = "application/json"')
    if options:
        signature += ["*", *options]
    answer = _answer(call)
    query = ", ".join(f'"{each["name"]}": {_name(each["name"])}' for each in in_query)
    address = re.sub(r"\{(\w+)\}", lambda found: "{quote(" + _name(found[1]) + ", safe='')}", path)
    given = [f'"{method.upper()}"', f'f"{address}"' if in_path else f'"{path}"', f"{{{query}}}"]
    if body:
        given.append("body")
        if any(option.startswith("content_type") for option in options):
            given.append("content_type")
    call_text = f"self._call({', '.join(given)})"
    returned = f"return {call_text}" if answer == "Any" else f'return cast("{answer}", {call_text})'
    lines = [
        f"    def {call['operationId']}({', '.join(signature)}) -> {answer}:",
        f'        """{_text(call.get("summary") or path)}. {_text(call.get("description") or "")}"""',
        f"        {returned}",
    ]
    return "\n".join(lines) + "\n"


def _answer(call: Mapping[str, Any]) -> str:
    """The type of what is answered: models where they are told, bytes for what is no JSON."""
    kinds = []
    for status in ("200", "202"):
        for kind, content in call["responses"].get(status, {}).get("content", {}).items():
            schema = content.get("schema", {})
            kinds.append(_type(schema) if kind == "application/json" and schema else "Any")
    return " | ".join(dict.fromkeys(kinds)) if kinds and "Any" not in kinds else "Any"


def _optional(kind: str) -> str:
    return kind if kind == "Any" or kind.endswith("None") else f"{kind} | None"


def _name(name: str) -> str:
    name = re.sub(r"\W", "_", name)
    return f"{name}_" if keyword.iskeyword(name) else name


def _text(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''").rstrip('"')


def _request(document: Mapping[str, Any], path: str, method: str, call: Mapping[str, Any]) -> dict[str, Any]:
    parameters = call.get("parameters", [])
    raw = "{{baseUrl}}" + re.sub(r"\{(\w+)\}", r":\1", path)
    url: dict[str, Any] = {
        "raw": raw,
        "host": ["{{baseUrl}}"],
        "path": [part for part in re.sub(r"\{(\w+)\}", r":\1", path).split("/") if part],
    }
    if queries := [{"key": each["name"], "value": "", "disabled": True} for each in parameters if each["in"] == "query"]:
        url["query"] = queries
    if variables := [{"key": each["name"], "value": ""} for each in parameters if each["in"] == "path"]:
        url["variable"] = variables
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [],
        "url": url,
        "description": call.get("description", ""),
    }
    if (example := _example(document, call)) is not None:
        request["header"] = [{"key": "Content-Type", "value": "application/json"}]
        request["body"] = {"mode": "raw", "raw": json.dumps(example, indent=2), "options": {"raw": {"language": "json"}}}
    return {"name": call.get("summary") or path, "request": request, "response": []}


def _example(document: Mapping[str, Any], call: Mapping[str, Any]) -> Any:
    content = call.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    if "example" in content:
        return content["example"]
    if "examples" in content:
        return next(iter(content["examples"].values()))["value"]
    name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
    return next(iter(document["components"]["schemas"].get(name, {}).get("examples", [])), {})


def files(document: Mapping[str, Any]) -> dict[str, str]:
    """File name → content, of everything that is made."""
    return {
        "lead_assets_client.py": python_client(document),
        "lead_assets.postman_collection.json": json.dumps(postman_collection(document), indent=1, ensure_ascii=False) + "\n",
    }


def main() -> None:
    from lead_assets.core.settings import Settings
    from lead_assets.service.app import build_app

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files(build_app(Settings()).openapi()).items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

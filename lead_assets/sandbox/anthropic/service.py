"""Anthropic: messages, token counts and prices. A batch's life is in `anthropic_batches`; what the model says is in `model`.

Belongs here: the HTTP contract of API version 2026-10-21, token estimates, the prompt cache, what a message costs.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import orjson
from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.anthropic.batches import USUAL_SECONDS, Batch, problem_of
from lead_assets.sandbox.anthropic.model import Completion, complete
from lead_assets.sandbox.service import BadRequest, Service, ServiceCall, answer, bearer

# Nano-dollars per token: input, output, 5-minute cache write, 1-hour cache write, cache read.
_PRICES: dict[str, tuple[int, int, int, int, int]] = {
    "claude-haiku-5-5": (100, 500, 125, 200, 10),
    "claude-sonnet-5-5": (2_000, 10_000, 2_500, 4_000, 100),
    "claude-opus-5-5": (4_000, 20_000, 5_000, 8_000, 200),
    "claude-opus-5": (5_000, 25_000, 6_250, 10_000, 500),
}
_HAIKU_LONG_PROMPT, _HAIKU_LONG = 100_000, (500, 2_500, 625, 1_000, 50)
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_GONE = ("temperature", "top_p", "top_k")
_AMPLE_REQUESTS, _AMPLE_TOKENS = 50_000, 50_000_000


@dataclass(frozen=True)
class SpentTokens:
    """Tokens of one message. `read` and `written` are the parts of the prompt that were in the cache, or are now."""

    plain: int
    read: int
    written_5m: int
    written_1h: int
    output: int
    thinking: int

    @property
    def prompt(self) -> int:
        return self.plain + self.read + self.written_5m + self.written_1h

    def nanos(self, model: str, *, batch: bool) -> int:
        prices = next((prices for name, prices in _PRICES.items() if model.startswith(name)), _PRICES["claude-haiku-5-5"])
        if model.startswith("claude-haiku-5-5") and self.prompt > _HAIKU_LONG_PROMPT:
            prices = _HAIKU_LONG
        total = sum(
            tokens * price
            for tokens, price in zip((self.plain, self.output, self.written_5m, self.written_1h, self.read), prices, strict=True)
        )
        return total // 2 if batch else total

    def body(self, *, batch: bool) -> dict[str, Any]:
        return {
            "input_tokens": self.plain,
            "output_tokens": self.output,
            "cache_creation_input_tokens": self.written_5m + self.written_1h,
            "cache_read_input_tokens": self.read,
            "cache_creation": {"ephemeral_5m_input_tokens": self.written_5m, "ephemeral_1h_input_tokens": self.written_1h},
            "output_tokens_details": {"thinking_tokens": self.thinking},
            "service_tier": "batch" if batch else "standard",
            "inference_geo": None,
            "server_tool_use": None,
            "speed": "standard",
        }


class AnthropicService(Service):
    name = "anthropic"
    prefix = "/anthropic"

    def reset(self) -> None:
        for batch in getattr(self, "_batches", {}).values():
            if batch.task:
                batch.task.cancel()
        self._batches: dict[str, Batch] = {}
        self._cached: dict[bytes, float] = {}
        """Hash of a prompt prefix -> when the cache forgets it."""

    def routes(self) -> list[Route]:
        return [
            self.route("/v1/messages", self._messages, "messages"),
            self.route("/v1/messages/count_tokens", self._count_tokens, "count_tokens"),
            self.route("/v1/models", self._models, "models", ("GET",)),
            self.route("/v1/messages/batches", self._create_batch, "batches"),
            self.route("/v1/messages/batches", self._list_batches, "batches.list", ("GET",)),
            self.route("/v1/messages/batches/{id}", self._show_batch, "batches.retrieve", ("GET",)),
            self.route("/v1/messages/batches/{id}", self._delete_batch, "batches.delete", ("DELETE",)),
            self.route("/v1/messages/batches/{id}/cancel", self._cancel_batch, "batches.cancel"),
            self.route("/v1/messages/batches/{id}/results", self._batch_results, "batches.results", ("GET",)),
        ]

    def credential(self, call: ServiceCall) -> str | None:
        return bearer(call) or call.request.headers.get("x-api-key")

    def unauthorized(self, call: ServiceCall) -> Response:
        return error(401, "invalid x-api-key")

    def problem(self, status: int, call: ServiceCall) -> Response:
        return error(status, {429: "This request would exceed your rate limit", 529: "Overloaded"}.get(status, f"HTTP {status}"))

    def _messages(self, call: ServiceCall) -> Response:
        params = call.json()
        check_params(params)
        return answer(self.message(params), headers={"request-id": _request_id(), **self._limits(call)})

    def message(self, params: dict[str, Any], *, batch: bool = False) -> dict[str, Any]:
        """The model's message for valid parameters; bills it."""
        completion = complete(params)
        usage = self._usage(params, completion)
        # The vendor has no name for what was bought: equal prompts count as one subject, so that a double purchase shows in the meter.
        subject = blake2b(orjson.dumps({**params, "metadata": None}, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()
        self.meter.charge(self.name, "batches" if batch else "messages", subject, usage.nanos(params["model"], batch=batch))
        return {
            "id": f"msg_{uuid.uuid4().hex[:24]}",
            "type": "message",
            "role": "assistant",
            "model": params["model"],
            "content": completion.content,
            "stop_reason": completion.stop_reason,
            "stop_sequence": None,
            "stop_details": completion.stop_details,
            "usage": usage.body(batch=batch),
        }

    def _count_tokens(self, call: ServiceCall) -> Response:
        params = call.json()
        check_params(params, counting=True)
        return answer({"input_tokens": sum(tokens for tokens, _, _ in _pieces(params))}, headers={"request-id": _request_id()})

    def _models(self, call: ServiceCall) -> Response:
        data = [{"type": "model", "id": name, "display_name": name, "created_at": "2026-09-01T00:00:00Z"} for name in _PRICES]
        return answer({"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]})

    # --- batches ---

    def _create_batch(self, call: ServiceCall) -> Response:
        body = call.json()
        wrong = problem_of(body)
        if wrong is not None:
            return error(400, wrong)
        batch = Batch(body["requests"])
        self._batches[batch.id] = batch
        late = self.faults.hit(self.name, "batch_delay", "batches")

        def message(params: dict[str, Any]) -> dict[str, Any]:
            check_params(params)
            return self.message(params, batch=True)

        batch.task = asyncio.create_task(batch.work(message, self._verdict, late.latency_ms / 1000 if late else USUAL_SECONDS))
        return self._shown(call, batch)

    def _verdict(self, custom_id: str, params: dict[str, Any]) -> dict[str, Any] | None:
        """The effect of a fault on a batch entry."""
        texts = (custom_id, orjson.dumps(params).decode()) if self.faults.any(self.name) else ()
        if self.faults.hit(self.name, "batch_errored", "batches", *texts):
            return {"type": "errored", "error": {**error_body(500, "Internal server error"), "request_id": _request_id()}}
        return {"type": "expired"} if self.faults.hit(self.name, "batch_expired", "batches", *texts) else None

    def _list_batches(self, call: ServiceCall) -> Response:
        newest_first = list(reversed(self._batches.values()))
        ids = [batch.id for batch in newest_first]
        limit = int(call.query.get("limit", 20))
        start, end = 0, len(ids)
        if call.query.get("after_id") in ids:
            start = ids.index(call.query["after_id"]) + 1
        if call.query.get("before_id") in ids:
            end = ids.index(call.query["before_id"])
        page = newest_first[start:end][:limit]
        body = {
            "data": [batch.body(call.origin + self.prefix) for batch in page],
            "has_more": end - start > limit,
            "first_id": page[0].id if page else None,
            "last_id": page[-1].id if page else None,
        }
        return answer(body, headers={"request-id": _request_id()})

    def _show_batch(self, call: ServiceCall) -> Response:
        return self._shown(call, self._batch(call))

    def _cancel_batch(self, call: ServiceCall) -> Response:
        batch = self._batch(call)
        if batch.ended_at is not None:
            return error(400, f"Batch {batch.id} has ended and cannot be canceled")
        batch.cancel_initiated_at = datetime.now(UTC)
        return self._shown(call, batch)

    def _delete_batch(self, call: ServiceCall) -> Response:
        batch = self._batch(call)
        if batch.ended_at is None:
            return error(400, f"Batch {batch.id} is still in progress; cancel it first")
        del self._batches[batch.id]
        return answer({"id": batch.id, "type": "message_batch_deleted"}, headers={"request-id": _request_id()})

    def _batch_results(self, call: ServiceCall) -> Response:
        batch = self._batch(call)
        if batch.ended_at is None:
            return error(404, f"Batch {batch.id} has no results yet")
        return answer(batch.lines(), headers={"request-id": _request_id()}, media_type="application/binary")

    def _batch(self, call: ServiceCall) -> Batch:
        batch = self._batches.get(call.path("id"))
        if batch is None:
            raise BadRequest(error(404, "No batch with this id"))
        return batch

    def _shown(self, call: ServiceCall, batch: Batch) -> Response:
        return answer(batch.body(call.origin + self.prefix), headers={"request-id": _request_id()})

    # --- what a message costs ---

    def _usage(self, params: dict[str, Any], completion: Completion) -> SpentTokens:
        """Token figures, and the state of the prompt cache after them."""
        total = read = cut = 0
        now, digest = time.monotonic(), blake2b(params["model"].encode(), digest_size=16)
        writes: list[tuple[bytes, int, str]] = []
        for tokens, text, ttl in _pieces(params):
            total += tokens
            digest.update(text)
            if ttl is not None:
                prefix = digest.digest()
                if self._cached.get(prefix, 0) > now:
                    read, writes = total, []
                else:
                    writes.append((prefix, total, ttl))
                self._cached[prefix] = now + (3600 if ttl == "1h" else 300)
                cut = total
        written = cut - read
        hour = bool(writes) and writes[-1][2] == "1h"
        thinking = sum(_tokens(block["thinking"]) for block in completion.content if block["type"] == "thinking")
        spoken = sum(_tokens(block.get("text") or orjson.dumps(block.get("input", "")).decode()) for block in completion.content)
        return SpentTokens(total - cut, read, 0 if hour else written, written if hour else 0, max(1, spoken + thinking), thinking)

    def _limits(self, call: ServiceCall) -> dict[str, str]:
        limit, left, closes_in = call.limits or (_AMPLE_REQUESTS, _AMPLE_REQUESTS - 1, 1.0)
        reset = (datetime.now(UTC) + timedelta(seconds=closes_in)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        headers = {
            "anthropic-ratelimit-requests-limit": str(limit),
            "anthropic-ratelimit-requests-remaining": str(left),
            "anthropic-ratelimit-requests-reset": reset,
        }
        for kind in ("tokens", "input-tokens", "output-tokens"):
            headers[f"anthropic-ratelimit-{kind}-limit"] = headers[f"anthropic-ratelimit-{kind}-remaining"] = str(_AMPLE_TOKENS)
            headers[f"anthropic-ratelimit-{kind}-reset"] = reset
        return headers


def check_params(params: Any, *, counting: bool = False) -> None:
    """Raise BadRequest for anything the API would refuse."""
    if not isinstance(params, dict):
        raise BadRequest(error(400, "The request body is not valid JSON"))
    for name in _GONE:
        if name in params:
            raise BadRequest(error(400, f"{name}: Extra inputs are not permitted"))
    if not isinstance(params.get("model"), str) or not params["model"]:
        raise BadRequest(error(400, "model: Field required"))
    if not counting and (not isinstance(params.get("max_tokens"), int) or params["max_tokens"] < 1):
        raise BadRequest(error(400, "max_tokens: Field required, at least 1"))
    messages = params.get("messages")
    if not isinstance(messages, list) or not messages or not all(_is_turn(turn) for turn in messages):
        raise BadRequest(error(400, "messages: a non-empty list of turns with role and content is required"))
    if messages[0]["role"] != "user":
        raise BadRequest(error(400, 'messages: first message must use the "user" role'))
    if params.get("stream"):
        raise BadRequest(error(400, "stream: the sandbox does not stream"))
    wanted = ((params.get("output_config") or {}).get("format") or {}).get("schema")
    if wanted is not None and messages[-1]["role"] == "assistant":
        raise BadRequest(error(400, "messages: prefilling is incompatible with output_config.format"))
    if isinstance(wanted, dict):
        for path in _unsupported(wanted):
            raise BadRequest(error(400, f"output_config.format.schema: {path} is not supported"))


def error(status: int, message: str, kind: str | None = None) -> Response:
    request_id = _request_id()
    return answer({**error_body(status, message, kind), "request_id": request_id}, status, {"request-id": request_id})


def error_body(status: int, message: str, kind: str | None = None) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind or _ERRORS.get(status, "api_error"), "message": message}}


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, dict) and turn.get("role") in ("user", "assistant") and isinstance(turn.get("content"), str | list)


_NOT_IN_SCHEMAS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems")


def _unsupported(schema: Any, path: str = "") -> list[str]:
    """Keywords that structured outputs refuse, and objects that are open."""
    found = []
    if isinstance(schema, dict):
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
            found.append(f"{path or 'the root'} without additionalProperties false")
        for key, value in schema.items():
            if key in _NOT_IN_SCHEMAS and not path.endswith(("/properties", "/$defs")):
                found.append(f"{path}/{key}")
            found += _unsupported(value, f"{path}/{key}") if key not in ("enum", "const", "default") else []
    elif isinstance(schema, list):
        for item in schema:
            found += _unsupported(item, path)
    return found


def _pieces(params: dict[str, Any]) -> list[tuple[int, bytes, str | None]]:
    """The prompt in cache order (tools, format, system, messages): tokens, content, and the ttl where a cache breakpoint follows."""
    pieces: list[tuple[int, bytes, str | None]] = []

    def add(content: Any, control: Any) -> None:
        text = content if isinstance(content, str) else orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()
        ttl = (control.get("ttl") or "5m") if isinstance(control, dict) else None
        pieces.append((_tokens(text), text.encode("utf-8", "surrogatepass"), ttl))

    for tool in params.get("tools") or []:
        add({name: value for name, value in tool.items() if name != "cache_control"}, tool.get("cache_control"))
    wanted = (params.get("output_config") or {}).get("format")
    if wanted:
        add(wanted, None)
    system = params.get("system") or []
    for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
        add(block.get("text", ""), block.get("cache_control"))
    for turn in params["messages"]:
        content = turn["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            plain = block.get("text") or {name: value for name, value in block.items() if name != "cache_control"}
            add(plain, block.get("cache_control"))
    if params.get("cache_control") and pieces:
        tokens, text, _ = pieces[-1]
        pieces[-1] = (tokens, text, params["cache_control"].get("ttl") or "5m")
    return pieces


def _tokens(text: str) -> int:
    """An estimate: four characters per token."""
    return -(-len(text) // 4)


def _request_id() -> str:
    return f"req_{uuid.uuid4().hex[:24]}"

"""Slack: `chat.postMessage`, `chat.delete`, `conversations.history`, `auth.test` and incoming webhooks. Messages are kept until reset.

The Web API answers 200 even when it refuses; webhooks answer in plain text. Channels named `...missing` do not exist, `...archived` are archived; a webhook
whose token is `gone` was removed.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from lead_assets.sandbox.service import REFUSED_CREDENTIAL, Service, ServiceCall, answer, bearer

_MAX_TEXT, _MAX_BLOCKS = 40_000, 50


class SlackService(Service):
    name = "slack"
    prefix = "/slack"

    def reset(self) -> None:
        self._messages: list[dict[str, Any]] = []
        self._posted = 0

    def state(self) -> Any:
        return {"messages": self._messages}

    def routes(self) -> list[Route]:
        return [
            self.route("/api/chat.postMessage", self._post, "chat.postMessage"),
            self.route("/api/chat.delete", self._delete, "chat.delete"),
            self.route("/api/conversations.history", self._history, "conversations.history", ("GET",)),
            self.route("/api/auth.test", self._auth_test, "auth.test"),
            self.route("/services/{team}/{bot}/{token}", self._webhook, "webhook"),
        ]

    def credential(self, call: ServiceCall) -> str | None:
        return call.path("token") if _is_webhook(call) else bearer(call)

    def unauthorized(self, call: ServiceCall) -> Response:
        if _is_webhook(call):
            return answer("invalid_token", 403, media_type="text/plain")
        return _refusal("invalid_auth" if bearer(call) == REFUSED_CREDENTIAL else "not_authed")

    def problem(self, status: int, call: ServiceCall) -> Response:
        word = {429: "ratelimited", 404: "no_service", 410: "channel_is_archived", 403: "action_prohibited"}.get(status, "internal_error")
        return answer(word, status, media_type="text/plain") if _is_webhook(call) else answer({"ok": False, "error": word}, status)

    def _post(self, call: ServiceCall) -> Response:
        body = call.json()
        if not isinstance(body, dict):
            return _refusal("invalid_json")
        channel, text = str(body.get("channel") or ""), str(body.get("text") or body.get("markdown_text") or "")
        failed = self.faults.hit(self.name, "ok_false", "chat.postMessage", channel, text)
        if failed is not None:
            return _refusal(str(failed.body or "internal_error"))
        if not channel or channel.endswith("missing"):
            return _refusal("channel_not_found")
        if channel.endswith("archived"):
            return _refusal("is_archived")
        if not text and not body.get("blocks") and not body.get("attachments"):
            return _refusal("no_text")
        if len(text) > _MAX_TEXT:
            return _refusal("msg_too_long")
        if len(body.get("blocks") or []) > _MAX_BLOCKS:
            return _refusal("invalid_blocks")
        ts = self._keep("chat.postMessage", channel, body)
        message = {"type": "message", "subtype": "bot_message", "bot_id": "B0SANDBOX", "text": text, "ts": ts}
        return answer({"ok": True, "channel": channel, "ts": ts, "message": message})

    def _delete(self, call: ServiceCall) -> Response:
        body = call.json() or {}
        failed = self.faults.hit(self.name, "ok_false", "chat.delete", str(body.get("channel")))
        if failed is not None:
            return _refusal(str(failed.body or "internal_error"))
        left = [each for each in self._messages if (each["channel"], each["ts"]) != (body.get("channel"), body.get("ts"))]
        if len(left) == len(self._messages):
            return _refusal("message_not_found")
        self._messages = left
        return answer({"ok": True, "channel": body["channel"], "ts": body["ts"]})

    def _history(self, call: ServiceCall) -> Response:
        """The channel's messages, newest first, in pages of `limit`; `oldest` is compared with when they arrived."""
        asked = call.query
        channel, limit = asked.get("channel", ""), int(asked.get("limit") or 100)
        with_metadata = asked.get("include_all_metadata") == "true"
        failed = self.faults.hit(self.name, "ok_false", "conversations.history", channel)
        if failed is not None:
            return _refusal(str(failed.body or "internal_error"))
        kept = [each for each in reversed(self._messages) if each["channel"] == channel and each["at"] >= float(asked.get("oldest") or 0)]
        start = int(asked.get("cursor") or 0)
        page = [
            {
                "type": "message",
                "ts": each["ts"],
                "text": each.get("text"),
                **({"metadata": each["metadata"]} if with_metadata and each.get("metadata") else {}),
            }
            for each in kept[start : start + limit]
        ]
        more = start + limit < len(kept)
        cursor = {"next_cursor": str(start + limit) if more else ""}
        return answer({"ok": True, "messages": page, "has_more": more, "response_metadata": cursor})

    def _auth_test(self, call: ServiceCall) -> Response:
        return answer(
            {"ok": True, "url": "https://sandbox.slack.example/", "team": "Sandbox", "user": "leadbot", "team_id": "T0", "user_id": "U0"}
        )

    def _webhook(self, call: ServiceCall) -> Response:
        if call.path("token") == "gone":
            return answer("no_service", 404, media_type="text/plain")
        body = call.json()
        if not isinstance(body, dict):
            return answer("invalid_payload", 400, media_type="text/plain")
        if not body.get("text") and not body.get("blocks") and not body.get("attachments"):
            return answer("no_text", 400, media_type="text/plain")
        self._keep("webhook", f"webhook:{call.path('team')}/{call.path('bot')}", body)
        return answer("ok", media_type="text/plain")

    def _keep(self, operation: str, channel: str, body: dict[str, Any]) -> str:
        ts = f"1790000000.{self._posted:06d}"
        self._posted += 1
        self._messages.append({**body, "channel": channel, "ts": ts, "at": time.time()})
        said = f"{body.get('text')}{body.get('blocks')}{body.get('attachments')}"
        self.meter.delivered(self.name, operation, f"{channel} {hashlib.sha256(said.encode()).hexdigest()[:12]}")
        return ts


def _is_webhook(call: ServiceCall) -> bool:
    return "/services/" in call.request.url.path


def _refusal(word: str) -> Response:
    return answer({"ok": False, "error": word})

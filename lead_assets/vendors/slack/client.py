"""Slack's Web API: post a message, look whether one was posted, and delete one. It answers 200 even when it refuses: `ok` decides.

Does not belong here: what is posted (see `destination`). https://docs.slack.dev/reference/methods/chat.postMessage
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lead_assets.core.errors import Kind, ProviderError
from lead_assets.vendors.http import HttpAnswer, Kinds, VendorClient, failure, json_object

EVENT = "lead_assets_delivery"
"""Type of the metadata that carries our key, by which a message is found again."""

KINDS: Kinds = {401: ("auth", "auth"), 403: ("auth", "auth"), 408: ("transient", "timeout"), 429: ("rate_limited", "rate_limited")}

_JSON = {"content-type": "application/json; charset=utf-8"}

_REFUSALS: Mapping[str, Kind] = {
    **dict.fromkeys(
        ("not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "missing_scope", "no_permission"), "auth"
    ),
    **dict.fromkeys(("ratelimited", "rate_limited", "message_limit_exceeded"), "rate_limited"),
    **dict.fromkeys(("fatal_error", "internal_error", "service_unavailable", "request_timeout", "team_added_to_org"), "transient"),
}
"""Words of `ok: false` that say more than "never"."""


class Slack(VendorClient):
    """Slack's API; use with `async with`."""

    async def post(self, message: Mapping[str, Any]) -> tuple[str, str]:
        """Post a message; returns its channel (of a direct message: the conversation) and `ts`. Raises ProviderError, its reason Slack's own word."""
        answer = await self._http.request("chat.postMessage", "POST", "/chat.postMessage", json=message, headers=_JSON)
        told = _judged("chat.postMessage", answer)
        return str(told.get("channel") or message["channel"]), str(told.get("ts"))

    async def delete(self, channel: str, ts: str) -> None:
        """Delete a message of ours, if it is still there. https://docs.slack.dev/reference/methods/chat.delete"""
        body = {"channel": channel, "ts": ts}
        answer = await self._http.request("chat.delete", "POST", "/chat.delete", json=body, headers=_JSON)
        try:
            _judged("chat.delete", answer)
        except ProviderError as error:
            if error.reason != "message_not_found":
                raise

    async def posted(self, channel: str, since: float, key: str) -> str | None:
        """The `ts` of the channel's message with our key, if it has one. Raises ProviderError, e.g. if the bot may not read it."""
        cursor = ""
        while True:
            asked = {
                "channel": channel,
                "oldest": f"{since:.6f}",
                "limit": 200,
                "include_all_metadata": "true",
                **({"cursor": cursor} if cursor else {}),
            }
            # Methods that read take their arguments from the URL; the documents promise JSON only for those that write.
            answer = await self._http.request("conversations.history", "GET", "/conversations.history", params=asked)
            told = _judged("conversations.history", answer)
            for each in told.get("messages", ()):
                if ((each.get("metadata") or {}).get("event_payload") or {}).get("key") == key:
                    return str(each.get("ts"))
            cursor = str((told.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                return None


def _judged(method: str, answer: HttpAnswer) -> dict[str, Any]:
    if answer.status >= 300:
        raise failure("slack", method, answer, KINDS)
    told = json_object("slack", method, answer)
    if told.get("ok") is not True:
        word = str(told.get("error") or "bad_answer")[:60]
        raise ProviderError("slack", method, _REFUSALS.get(word, "permanent"), word, status=answer.status)
    return told

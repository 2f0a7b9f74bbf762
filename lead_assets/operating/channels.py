"""Tells people: a message to Slack, by e-mail, or to a webhook. Raises NotToldError, without secrets, if it could not.

Does not belong here: what is said and to whom (see `alerts`).
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import orjson

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.operating.rules import Channel
from lead_assets.vendors import load_vendors
from lead_assets.vendors.http import VendorHttp

_SECONDS = 20.0


class NotToldError(RuntimeError):
    """Nobody was told. `passing`: trying again later may help."""

    def __init__(self, what: str, *, passing: bool = True) -> None:
        super().__init__(what)
        self.passing = passing


@dataclass(frozen=True)
class Message:
    """`key` is the same whenever this message is sent again."""

    key: str
    title: str
    lines: tuple[str, ...]
    link: str

    @property
    def text(self) -> str:
        return "\n".join([self.title, *self.lines, self.link])


def tell(channel: Channel, message: Message, settings: Settings) -> None:
    """Send the message. Raises NotToldError."""
    if channel.slack is not None:
        asyncio.run(_slack(channel.slack, message, settings))
    elif channel.email is not None:
        _mail(channel.email, message, settings)
    else:
        asyncio.run(_webhook(str(channel.webhook), message, settings))


def without(channel: Channel, settings: Settings) -> str | None:
    """The setting that the channel lacks, if any."""
    if channel.slack is not None:
        return None if load_vendors()["slack"].key(settings) is not None else "SLACK_BOT_TOKEN"
    if channel.email is not None:
        return None if settings.smtp_url is not None else "LEAD_ASSETS_SMTP_URL"
    return None if settings.secret(str(channel.webhook)) is not None else channel.webhook


async def _slack(channel: str, message: Message, settings: Settings) -> None:
    vendor = load_vendors()["slack"]
    key = vendor.key(settings)
    if key is None:
        raise NotToldError("slack: SLACK_BOT_TOKEN is not set", passing=False)
    body = {
        "channel": channel,
        "text": message.text,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": message.title[:150]}},
            {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(message.lines)[:3000] or message.title[:3000]}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": f"<{message.link}|Open in Dagster>"}]},
        ],
        "unfurl_links": False,
    }
    try:
        headers = {"authorization": f"Bearer {key.get_secret_value()}"}
        async with VendorHttp("slack", vendor.url(settings), headers, deadline=_SECONDS) as http:
            answer = await http.request("chat.postMessage", "POST", "/chat.postMessage", json=body)
    except ProviderError as error:
        raise NotToldError(str(error)) from None
    said = _json(answer.body)
    # Slack answers 200 also when it refuses. https://docs.slack.dev/reference/methods/chat.postMessage
    if answer.status != 200 or said.get("ok") is not True:
        raise NotToldError(f"slack: {said.get('error') or f'HTTP {answer.status}'} (channel {channel})", passing=answer.status != 200)


def _json(body: bytes) -> dict[str, object]:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _mail(to: tuple[str, ...], message: Message, settings: Settings) -> None:
    if settings.smtp_url is None:
        raise NotToldError("e-mail: LEAD_ASSETS_SMTP_URL is not set", passing=False)
    parts = urlsplit(settings.smtp_url.get_secret_value())
    mail = EmailMessage()
    mail["Subject"] = message.title.replace("\n", " ")[:200]
    mail["From"], mail["To"] = settings.smtp_from, ", ".join(to)
    mail["Date"] = datetime.now(UTC)
    # A mail that is sent again has the same id, so that mailboxes can show it once.
    mail["Message-ID"] = f"<{message.key}@lead-assets>"
    mail.set_content("\n\n".join([*message.lines, message.link]))
    host = parts.hostname or "localhost"
    try:
        if parts.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_SECONDS, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(host, parts.port or 587, timeout=_SECONDS)
        with server:
            if parts.scheme == "smtp" and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
            if parts.username:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(mail)
    except (smtplib.SMTPException, OSError) as error:
        raise NotToldError(f"e-mail: {type(error).__name__} at {host}") from None


async def _webhook(variable: str, message: Message, settings: Settings) -> None:
    url, secret = settings.secret(variable), settings.secret(f"{variable}_SECRET")
    if url is None:
        raise NotToldError(f"webhook: {variable} is not set", passing=False)
    body = {"id": message.key, "title": message.title, "lines": message.lines, "link": message.link}
    headers = {}
    if secret is not None:
        headers = _signed(secret.get_secret_value(), message.key, orjson.dumps(body).decode())
    try:
        async with VendorHttp(
            "webhook", url.get_secret_value(), {"content-type": "application/json", **headers}, deadline=_SECONDS
        ) as http:
            answer = await http.request(variable, "POST", "", content=orjson.dumps(body))
    except ProviderError as error:
        raise NotToldError(str(error)) from None
    if answer.status // 100 != 2:
        raise NotToldError(f"webhook {variable}: HTTP {answer.status}")


def _signed(secret: str, key: str, body: str) -> dict[str, str]:
    """https://github.com/standard-webhooks/standard-webhooks"""
    from standardwebhooks import Webhook

    now = datetime.now(UTC)
    return {"webhook-id": key, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": Webhook(secret).sign(key, now, body)}

"""The subcommands of the service: serving it, its keys, and what it does for several leads without anybody waiting."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from lead_assets.cli.terminal import AsJson, connected_world, print_answer
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import unknown

keys = typer.Typer(no_args_is_help=True, help="Keys of the service: who may call it, for what, how fast and for how much.")


def add_to(app: typer.Typer) -> None:
    """Add these subcommands to the `lead-assets` command."""
    app.command()(serve)
    app.command()(enrich)
    app.add_typer(keys, name="keys")


def serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 picks a free one.")] = 8000,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Use the sandbox if this home has bought nothing yet.")] = False,
    as_json: AsJson = False,
) -> None:
    """Receive leads and answer questions about them over HTTP, until interrupted."""
    from lead_assets.cli.errors import CommandError
    from lead_assets.cli.forgetting import runs_in_progress
    from lead_assets.cli.runs import instance_of

    try:
        from lead_assets.service.serving import serve as serving
    except ModuleNotFoundError as error:
        raise CommandError(f"the service needs {error.name}: pip install 'lead-assets[service]'") from None
    with connected_world(prefer_sandbox=sandbox) as settings:

        def announce(url: str) -> None:
            typer.echo(json.dumps({"url": url}) if as_json else f"serving {url} (leads: {url}/explorer, calls: {url}/docs)")

        serving(settings, host, port, announce, lambda: runs_in_progress(settings), lambda: instance_of(settings))


def enrich(
    leads: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A file with a CAMPAIGN/LEAD_ID per line.")],
    max_usd: Annotated[float, typer.Option("--max-usd", min=0, max=10_000, help="Most that all of them together may cost.")],
    key: Annotated[str | None, typer.Option("--key", help="Id of a key whose budget counts, too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Enrich, classify, score and route single stored leads now. The tables show it after their campaigns' next run."""
    from lead_assets.cli.errors import CommandError
    from lead_assets.ledger.opened import opened_ledger
    from lead_assets.rules.check import check_rules
    from lead_assets.service.several import GONE, enrich_several, names_of, stored_leads
    from lead_assets.stores.opened import archive_of, warehouse_of

    lines = dict.fromkeys(line.strip() for line in leads.read_text(encoding="utf-8").split("\n") if line.strip())
    names = [(campaign, lead) for campaign, _, lead in (line.partition("/") for line in lines)]
    if bad := next((line for line, (_, lead) in zip(lines, names, strict=True) if not lead), None):
        raise CommandError(f"{leads}: '{bad[:60]}' names no lead: write CAMPAIGN/LEAD_ID, one per line")
    with connected_world() as settings, opened_ledger(settings) as ledger:
        check_rules(settings)
        whose = next((each for each in ledger.keys.listed() if each.key_id == key), None)
        if key is not None and (whose is None or not whose.is_valid(datetime.now(UTC))):
            raise CommandError("there is no such key, or it has ended: `lead-assets keys list` shows all")
        warehouse = warehouse_of(settings)
        found = stored_leads(warehouse, names)
        tally = enrich_several(found, whose, max_usd, ledger=ledger, settings=settings, archive=archive_of(settings), warehouse=warehouse)
        there = set(names_of(found))
        tally.but(GONE, *(name for name in names if name not in there))
    print_answer(tally.as_answer(), as_json, _show_tally)


@keys.command("create")
def create(
    name: Annotated[str, typer.Option("--name", help="Whose key it is.")],
    scope: Annotated[list[str], typer.Option("--scope", help="webhook, read, read-pii, write or admin; may be given more than once.")],
    days: Annotated[int | None, typer.Option("--days", min=1, max=3650, help="Days until it ends; default: never.")] = None,
    rate: Annotated[int | None, typer.Option("--rate", min=1, help="Most requests per second.")] = None,
    usd_per_day: Annotated[float | None, typer.Option("--usd-per-day", min=0, help="Most that may be bought with it per UTC day.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once."""
    from lead_assets.ledger.keys import SCOPES
    from lead_assets.ledger.opened import opened_ledger

    # One option may name several: --scope read,write.
    scopes = [word for each in scope for word in each.replace(",", " ").split()]
    for word in scopes:
        if word not in SCOPES:
            raise unknown("--scope", word, SCOPES)
    micros = round(usd_per_day * 1_000_000) if usd_per_day is not None else None
    with opened_ledger(Settings()) as ledger:
        lifetime = timedelta(days=days) if days else None
        key, text = ledger.keys.create(name, scopes, lifetime=lifetime, rate_per_second=rate, budget_micros=micros)
    print_answer({"key": text, **_said(key)}, as_json, lambda answer: typer.echo(answer["key"]))


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """All keys, without their secrets."""
    from lead_assets.ledger.opened import opened_ledger

    with opened_ledger(Settings()) as ledger:
        answer = {"keys": [_said(key) for key in ledger.keys.listed()]}
    print_answer(answer, as_json, _show_keys)


@keys.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="Its id, from `keys list`.")], as_json: AsJson = False) -> None:
    """End a key now."""
    from lead_assets.cli.errors import CommandError
    from lead_assets.ledger.opened import opened_ledger

    with opened_ledger(Settings()) as ledger:
        if not ledger.keys.revoke(key_id):
            raise CommandError("there is no such key, or it has ended: `lead-assets keys list` shows all")
    print_answer({"key_id": key_id, "revoked": True}, as_json, lambda answer: typer.echo(f"{answer['key_id']} has ended"))


@keys.command("log")
def log(
    key_id: Annotated[str | None, typer.Argument(help="Only this key.")] = None,
    most: Annotated[int, typer.Option("--limit", min=1, max=100_000)] = 100,
    as_json: AsJson = False,
) -> None:
    """The newest entries of the audit log."""
    from lead_assets.ledger.opened import opened_ledger

    with opened_ledger(Settings()) as ledger:
        answer = {"uses": [use._asdict() | {"at": use.at.isoformat()} for use in ledger.keys.uses(key_id, most)]}
    print_answer(answer, as_json, _show_uses)


def _show_tally(answer: dict[str, Any]) -> None:
    typer.echo(f"{answer['done']} enriched, for at most ${answer['usd']:.4f}")
    for why, some in answer["others"].items():
        typer.echo(f"{some['leads']}  {why}: {', '.join(some['examples'])}")


def _said(key: Any) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "rate_per_second": key.rate_per_second,
        "usd_per_day": key.budget_micros / 1e6 if key.budget_micros is not None else None,
        **{name: getattr(key, name) and getattr(key, name).isoformat() for name in ("created_at", "expires_at", "revoked_at")},
    }


def _show_keys(answer: dict[str, Any]) -> None:
    for key in answer["keys"]:
        ended = f"  ended {key['revoked_at']}" if key["revoked_at"] else f"  until {key['expires_at']}" if key["expires_at"] else ""
        typer.echo(f"{key['key_id']}  {key['name']}  {' '.join(key['scopes'])}{ended}")


def _show_uses(answer: dict[str, Any]) -> None:
    for use in answer["uses"]:
        typer.echo(f"{use['at']}  {use['key_id']}  {use['action']}  {use['status']}  {use['requests']}x  {use['about'] or ''}".rstrip())

"""The `lead-assets` command. Each subcommand prints text for people, or with --json one object on stdout; logs and progress go to stderr.

Exit codes: 0 done, 1 not done (the message says why), 2 wrong command line.

Does not belong here: any work. A command reads its options, calls a room or a sibling module, and prints what it returned.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lead_assets.cli import (
    analyst_app,
    deliver_app,
    identity_app,
    lookalike_app,
    operate_app,
    outcomes_app,
    route_app,
    score_app,
    service_app,
)
from lead_assets.cli import money_app as cli_money
from lead_assets.cli import privacy_app as cli_privacy
from lead_assets.cli.terminal import (
    AsJson,
    connected_world,
    err,
    fail_if_not_whole,
    hold_standard_streams,
    print_answer,
    progress_bar,
    told_campaigns,
)
from lead_assets.core.settings import Settings
from lead_assets.core.unknown_words import UnknownWord, unknown

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turns raw campaign leads into enriched, classified, scored and routed leads.",
)
cli_money.add_to(app)
analyst_app.add_to(app)
cli_privacy.add_to(app)
operate_app.add_to(app)
route_app.add_to(app)
service_app.add_to(app)
shapes = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.add_typer(shapes, name="shapes")
app.add_typer(score_app.score, name="score")
app.add_typer(deliver_app.deliver, name="deliver")
score_app.add_to(app)
app.add_typer(lookalike_app.lookalike, name="lookalike")
app.add_typer(outcomes_app.outcomes, name="outcomes")
app.add_typer(identity_app.identity, name="identity")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"lead-assets {metadata.version('lead-assets')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """Options of the command itself, before any subcommand."""


@app.command()
def demo(as_json: AsJson = False) -> None:
    """Run the whole graph on the fixtures, with the sandbox: no account, no keys, nothing outside this machine."""
    from lead_assets.cli import demo as demonstration
    from lead_assets.cli import show

    with connected_world(prefer_sandbox=True) as settings, progress_bar("demo", as_json) as progress:
        answer = demonstration.run(settings, progress)
    print_answer(answer, as_json, show.demo)
    fail_if_not_whole(answer)


@app.command()
def run(
    campaign: Annotated[
        list[str] | None, typer.Option("--campaign", callback=told_campaigns, help="Campaign id; may be given more than once.")
    ] = None,
    all_campaigns: Annotated[bool, typer.Option("--all", help="Every campaign in the archive.")] = False,
    select: Annotated[str | None, typer.Option("--select", help="Assets, in Dagster's selection syntax, e.g. 'group:scoring'.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Enrich and classify at most this many leads per campaign.")] = None,
    batch: Annotated[
        bool,
        typer.Option("--batch", help="Use Message Batches for the model: half the price, but up to a day; a killed run resumes its batch."),
    ] = False,
    from_ledger: Annotated[
        bool, typer.Option("--from-ledger", help="Buy nothing: use the ledger's answers, whatever their age; anything else stays unknown.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Materialize campaigns. Nothing is bought twice."""
    if bool(campaign) == all_campaigns:
        raise typer.BadParameter("give --campaign ID (once or more) or --all")
    from lead_assets.cli import pipeline, show

    with connected_world() as settings, progress_bar("run", as_json) as progress:
        answer = pipeline.run(
            settings, campaigns=campaign, select=select, limit=limit, batch=batch, from_ledger=from_ledger, progress=progress
        )
    print_answer(answer, as_json, show.run)
    fail_if_not_whole(answer)


@app.command()
def ingest(
    files: Annotated[list[Path], typer.Argument(help="Files: JSON, NDJSON or CSV, optionally gzipped.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", callback=told_campaigns, help="Campaign for all leads in these files.")
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="Which column or path.to.field fills which field: FROM=TO, or FROM=ignore; may be given more than once."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show how the files would be read, and store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store files in the archive, and show how they are read. `run` then materializes their campaigns. Exit code 1 if nothing was taken."""
    from lead_assets.cli import pipeline, show

    _are_files(files)
    answer = pipeline.ingest_files(Settings(), files, campaign=campaign, column_map=_pairs(mapping or []), dry_run=dry_run)
    _warn(answer)
    print_answer(answer, as_json, show.ingested)
    if not any(drop["rows"] or drop["status"] in ("duplicate_file", "already_ingested") for drop in answer["drops"]):
        raise typer.Exit(1)


@shapes.callback(invoke_without_command=True)
def list_shapes(context: typer.Context, as_json: AsJson = False) -> None:
    """The payload shapes that can be read: shipped ones, and those of LEAD_ASSETS_RULES_DIR/shapes."""
    if context.invoked_subcommand is not None:
        return
    from lead_assets.cli import reading, show

    answer = reading.shapes(Settings())
    print_answer(answer, as_json, show.shapes)
    fail_if_not_whole(answer)


@shapes.command("try")
def try_shapes(
    files: Annotated[list[Path], typer.Argument(help="Files as they would be ingested.")],
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="Rename a field while reading: FROM=TO; may be given more than once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show as what shape each payload of a file is read, and what is left over. Nothing is stored."""
    from lead_assets.cli import reading, show

    _are_files(files)
    answer = reading.read(Settings(), files, _pairs(mapping or []))
    print_answer(answer, as_json, show.tried)
    fail_if_not_whole(answer)


@app.command()
def replay(
    stage: Annotated[str, typer.Option("--stage", help="What to replay: classification, or summaries (briefs).")] = "classification",
    code: Annotated[
        list[str] | None,
        typer.Option("--code", help="Only leads quarantined for this reason, e.g. placeholder; may be given more than once."),
    ] = None,
    campaign: Annotated[
        list[str] | None, typer.Option("--campaign", callback=told_campaigns, help="Only this campaign; may be given more than once.")
    ] = None,
    fix: Annotated[
        str | None,
        typer.Option("--fix", help="Name of a fix made elsewhere, e.g. at the vendor: sends again what an earlier replay already sent."),
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Use Message Batches for the model: half the price, but up to a day.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send quarantined leads again after a fix, exactly once each, and materialize their campaigns."""
    from lead_assets.cli import replay as replaying
    from lead_assets.cli import show

    if stage not in replaying.STAGES:
        raise unknown("--stage", stage, replaying.STAGES)
    with connected_world() as settings, progress_bar("replay", as_json) as progress:
        answer = replaying.run(settings, stage=stage, codes=code, campaigns=campaign, fix=fix, batch=batch, progress=progress)
    print_answer(answer, as_json, show.replayed)
    fail_if_not_whole(answer)


@app.command()
def sync(as_json: AsJson = False) -> None:
    """Fetch leads from the campaign API into the landing folder and ingest them."""
    from lead_assets.cli import pipeline, show

    with connected_world() as settings:
        answer = pipeline.sync_campaign_api(settings)
    print_answer(answer, as_json, show.synced)
    fail_if_not_whole(answer)


@app.command()
def export(
    table: Annotated[str, typer.Argument(help="Table, as schema.table, e.g. routing.decisions.")],
    file_format: Annotated[str, typer.Option("--format", help="csv, xlsx, json or parquet.")] = "csv",
    campaign: Annotated[list[str] | None, typer.Option("--campaign", callback=told_campaigns, help="Only these campaigns.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead of stdout.")] = None,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="Leave text unchanged. Otherwise csv and xlsx put an apostrophe before text that a spreadsheet would run as a formula.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a table's rows to stdout or to a file."""
    from lead_assets.cli import exports
    from lead_assets.core import table_formats

    if file_format not in table_formats.FORMATS:
        raise unknown("--format", file_format, table_formats.FORMATS)
    frame = exports.rows(Settings(), table, campaign)
    if as_json and out is None:
        raise typer.BadParameter("--json reports where the rows were written: add --out PATH, or use --format json for the rows themselves")
    if out is None:
        sys.stdout.buffer.write(table_formats.encode(frame, file_format, raw=raw))
        sys.stdout.buffer.flush()
        return
    out.write_bytes(table_formats.encode(frame, file_format, raw=raw))
    print_answer({"path": str(out), "rows": frame.height}, as_json, lambda answer: err.print(f"{answer['rows']} rows in {answer['path']}"))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check settings, keys, stores and versions."""
    from lead_assets.cli import doctor as checks
    from lead_assets.cli import show

    answer = checks.examine(Settings())
    print_answer(answer, as_json, show.doctor)
    if not answer["ok"]:
        raise typer.Exit(1)


@app.command()
def status(
    campaign: Annotated[
        list[str] | None, typer.Option("--campaign", callback=told_campaigns, help="Only this campaign; may be given more than once.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what is missing or out of date per campaign and table, and why. Changes nothing and calls nobody."""
    from lead_assets.cli import show
    from lead_assets.cli.status import status as standing

    print_answer(standing(Settings(), campaign), as_json, show.status)


@app.command("verify-snowpipe")
def verify_snowpipe(as_json: AsJson = False) -> None:
    """Compare the archived events with what Snowpipe has loaded: pipe status, waiting files, failed loads, missing events."""
    from lead_assets.cli import snowpipe

    answer = snowpipe.verify(Settings())
    print_answer(answer, as_json, lambda each: typer.echo("\n".join(snowpipe.told(each))))
    if not answer["ok"]:
        raise typer.Exit(1)


@app.command()
def sandbox(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port on loopback; 0 picks a free one.")] = 0,
    campaigns: Annotated[
        Path | None,
        typer.Option("--campaigns", exists=True, dir_okay=False, help="JSON file with the campaigns that the campaign API serves."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Serve every external service on loopback, in its real wire format, until interrupted. GET /_meter shows what it would have billed."""
    from lead_assets.sandbox import READY_LINE
    from lead_assets.sandbox.server import serve

    serve(port, campaigns, announce=lambda url: json.dumps({"url": url}) if as_json else READY_LINE + url)


@app.command()
def dev(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the Dagster UI.")] = 3000,
    live: Annotated[bool, typer.Option("--live", help="Use the real vendors whose keys are set instead of the sandbox.")] = False,
    service_port: Annotated[int, typer.Option("--service-port", min=0, max=65535, help="Port of the service; 0 starts none.")] = 8000,
    as_json: AsJson = False,
) -> None:
    """Start the Dagster UI with sensors on, and the service: files dropped into the landing folder are processed automatically."""
    from lead_assets.cli import development, show

    with connected_world(prefer_sandbox=not live) as settings:
        raise typer.Exit(development.serve(settings, port, lambda where: print_answer(where, as_json, show.development), service_port))


def main() -> None:
    """Entry point. Turns the product's own errors into one line on stderr (with --json also an object on stdout) and exit code 1, or 2 for
    an unknown word on the command line."""
    hold_standard_streams()
    try:
        app()
    except SystemExit as stop:
        if stop.code == 2:
            _say(_usage_error(stop))
        raise
    except UnknownWord as error:
        _stop(str(error), code=2)
    except Exception as error:
        from lead_assets.cli.errors import explained

        text = explained(error)
        if text is None:
            raise
        _stop(text)


def _usage_error(stop: SystemExit) -> str:
    """What is wrong with the command line. Typer has printed it for people, and its error is the context of the exit."""
    # Duck typing, because newer versions of Typer bundle their own Click with different error classes.
    message = getattr(stop.__context__, "format_message", None)
    return f"the command line is wrong: {message() if message else 'stderr says how'}"


def _say(fault: str) -> None:
    """With --json, the fault on stdout, too. If it is that nothing can be written there, stderr says so, and Python need not try again as it ends."""
    try:
        if "--json" in sys.argv:
            sys.stdout.write(json.dumps({"ok": False, "error": fault}) + "\n")
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(text: str, code: int = 1) -> None:
    _say(text)
    # A fault may contain brackets, and a wrapped path cannot be copied.
    err.print(f"[bold red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)
    raise SystemExit(code)


def _are_files(files: list[Path]) -> None:
    if folders := [str(file) for file in files if file.is_dir()]:
        raise typer.BadParameter(f"{', '.join(folders)} is a folder: give the files in it")
    if missing := [str(file) for file in files if not file.exists()]:
        raise typer.BadParameter(f"no such file: {', '.join(missing)}")


def _warn(answer: dict[str, Any]) -> None:
    for fault in answer["failures"]:
        err.print(f"[yellow]not used:[/] {escape(fault)}", highlight=False, soft_wrap=True)


def _pairs(mapping: list[str]) -> dict[str, str]:
    # A path may have a = of its own: emails[type=work].value=email.
    pairs = dict(item.rpartition("=")[::2] for item in mapping)
    if not all(pairs.values()) or not all(pairs):
        raise typer.BadParameter("--map takes FROM=TO, e.g. --map 'Work Mail=email'")
    from lead_assets.intake.headers import check_column_map

    check_column_map(pairs)
    return pairs


if __name__ == "__main__":
    main()

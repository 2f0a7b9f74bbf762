"""The product as deploy/ puts it together, services on loopback: archive, events, landing zone and compute logs in a bucket, ledger and Dagster's
storage in one Postgres, tables in Snowflake (`production`) or, where Snowflake is not the question, in DuckDB (`deploy`)."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import sqlalchemy as sa
from psycopg import sql

from lead_assets.core.project_files import project_file
from lead_assets.core.settings import Settings
from lead_assets.intake.ingest import ingest
from lead_assets.ledger import Ledger
from lead_assets.ledger.schema import metadata
from lead_assets.stores.objects import open_objects
from lead_assets.stores.opened import archive_of


@dataclass(frozen=True)
class Deployed:
    home: Path
    environment: dict[str, str]
    settings: Settings


def deploy(tmp_path: Path, *, bucket: str, postgres_url: str, storage_url: str, sandbox_url: str) -> Deployed:
    """Write DAGSTER_HOME and say what the environment is; the warehouse is DuckDB."""
    dagster_home = tmp_path / "dagster"
    dagster_home.mkdir()
    shutil.copy(project_file("deploy/dagster.yaml"), dagster_home / "dagster.yaml")
    home = tmp_path / "home"
    environment = {
        "DAGSTER_HOME": str(dagster_home),
        "GCS_ENRICHMENT_BUCKET": bucket.removeprefix("gs://"),
        "LEAD_ASSETS_ARCHIVE_URL": bucket,
        "LEAD_ASSETS_HOME": str(home),
        "LEAD_ASSETS_LANDING_URL": f"{bucket}/landing",
        "LEAD_ASSETS_LEDGER_URL": for_dagster(postgres_url),
        "LEAD_ASSETS_SANDBOX_URL": sandbox_url,
        "STORAGE_EMULATOR_HOST": storage_url,
    }
    settings = Settings(
        home=home,
        archive_url=bucket,
        landing_url=f"{bucket}/landing",
        ledger_url=environment["LEAD_ASSETS_LEDGER_URL"],
        sandbox_url=sandbox_url,
    )
    return Deployed(home, environment, settings)


def production(*, bucket: str, postgres_url: str, snowflake: dict[str, str]) -> dict[str, str]:
    """The environment of docs/production.md: what names the stores, and nothing else."""
    return {
        "LEAD_ASSETS_ENV": "production",
        "GCS_ENRICHMENT_BUCKET": bucket.removeprefix("gs://"),
        "LEAD_ASSETS_LEDGER_URL": for_dagster(postgres_url),
        **snowflake,
    }


def copy_to_local(settings: Settings, home: Path) -> None:
    """What archive and ledger of `settings` hold, as the local stores below `home` hold it: a folder, and a SQLite file."""
    local = Settings(home=home, env="local", ledger_url=None)
    theirs, ours = archive_of(settings).objects, open_objects(local.archive_location)
    for prefix in ("objects/", "index/", "receipts/"):
        for entry in theirs.entries(prefix):
            ours.put(entry.name, theirs.get(entry.name))
    Ledger(local.ledger_location).open()
    url = sa.make_url(settings.ledger_location).set(drivername="postgresql+psycopg")
    postgres = sa.create_engine(url, connect_args={"options": "-csearch_path=lead_assets_ledger"})
    sqlite = sa.create_engine(local.ledger_location)
    with postgres.connect() as source, sqlite.begin() as target:
        for table in metadata.sorted_tables:
            target.execute(sa.delete(table))
            if rows := source.execute(sa.select(table)).mappings().all():
                target.execute(sa.insert(table), [dict(row) for row in rows])
    postgres.dispose()
    sqlite.dispose()


def fresh_database(server: str) -> str:
    """URL of an empty database on the session's Postgres, for fixtures of a whole module (a test has `postgres_url`)."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server.replace("/postgres?", f"/{name}?")


def for_dagster(url: str) -> str:
    """The URL with the driver that Dagster's storage needs, as docs/production.md says to write it."""
    return url.replace("postgresql://", "postgresql+psycopg2://")


def leads(campaign: str, count: int, companies: int = 5) -> bytes:
    """A drop of `count` leads who share `companies` companies with every other campaign's."""
    rows = [
        {
            "email": f"pat{number}.{campaign}@firm{number % companies}.example",
            "company": f"Firm {number % companies}",
            "full_name": "Pat Doe",
            "title": "VP Sales",
            "country": "US",
        }
        for number in range(count)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def fill(settings: Settings, campaigns: list[str], count: int, companies: int = 5) -> None:
    for campaign in campaigns:
        data = leads(campaign, count, companies)
        ingest(archive_of(settings), data, name=f"{campaign}.ndjson", received_at=datetime.now(UTC), campaign=campaign)

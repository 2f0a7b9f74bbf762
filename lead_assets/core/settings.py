"""Every environment variable that the product reads, typed, in one place.

Vendors' variables keep the names that their users know; the product's own begin with LEAD_ASSETS_. Nothing else in the package reads
os.environ. `.env.example` lists them all and says what works without each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from dotenv import dotenv_values
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from lead_assets.core.limits import DEFAULT_LIMITS, DropLimits


class Settings(BaseSettings):
    """The environment as the product sees it. Empty variables count as unset. The prefix is required, so that $HOME is never read as LEAD_ASSETS_HOME."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True, env_prefix="LEAD_ASSETS_"
    )

    home: Path = Field(Path(".lead_assets"), description="Folder of all local state")
    env: Literal["local", "production"] = Field(
        "local", description="production: tables in Snowflake, archive and landing zone in GCS, ledger and Dagster's storage in Postgres"
    )
    sandbox_url: str | None = Field(
        None, pattern=r"^https?://[^\s/]+/?$", description="Base URL of a running sandbox; replaces every vendor"
    )
    ledger_url: SecretStr | None = Field(None, description="SQLAlchemy URL of the ledger; default SQLite below home")
    suppression_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="Secret that suppressed addresses and phones are hashed with; default: suppression.key below home. Never change or lose it",
    )
    archive_url: str | None = Field(None, description="Folder or bucket of the archive; default below home")
    landing_url: str | None = Field(None, description="Folder or bucket watched for drops")
    landing_taken: Literal["move", "delete"] = Field(
        "move",
        description="What happens to a landing file once the archive has it: moved to .taken/<day>/ in the landing folder, or deleted",
    )
    gcs_enrichment_bucket: str | None = Field(
        None, validation_alias="GCS_ENRICHMENT_BUCKET", description="Bucket of archive, events and landing zone, in production only"
    )
    gcs_failed_leads_bucket: str | None = Field(
        None,
        validation_alias="GCS_FAILED_LEADS_BUCKET",
        description="Bucket that rejected payloads are also written to, in production only",
    )
    rules_dir: Path | None = Field(
        None,
        description="Folder of YAML that replaces lead_assets/rules file by file",
    )
    lookalike_index: Path | None = Field(
        None, description="Folder of the index that /score_lead asks, made by `lead-assets lookalike build`"
    )
    max_payload_bytes: int = Field(
        DEFAULT_LIMITS.payload_bytes, gt=0, description="Largest accepted payload in bytes; larger ones are rejected"
    )
    max_drop_bytes: int = Field(
        DEFAULT_LIMITS.drop_bytes, gt=0, description="Largest accepted file in bytes, packed or unpacked; a larger one is one reject"
    )
    max_unpack_ratio: int = Field(
        DEFAULT_LIMITS.unpack_ratio,
        gt=0,
        description="How many times its size a packed file may unpack to; one that goes further (and beyond 64 MiB) is one reject",
    )

    anthropic_api_key: SecretStr | None = Field(None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_model: str = Field("claude-haiku-5-5", validation_alias="ANTHROPIC_MODEL")
    pipe0_api_key: SecretStr | None = Field(None, validation_alias="PIPE0_API_KEY")
    pipe0_environment: Literal["production", "sandbox"] = Field("production", validation_alias="PIPE0_ENVIRONMENT")
    aturiya_bearer_token: SecretStr | None = Field(None, validation_alias="ATURIYA_BEARER_TOKEN")
    aturiya_user_id: str | None = Field(None, validation_alias="ATURIYA_USER_ID")
    aturiya_agent_id: str | None = Field(None, validation_alias="ATURIYA_AGENT_ID")
    apollo_api_key: SecretStr | None = Field(None, validation_alias="APOLLO_API_KEY")
    hunter_api_key: SecretStr | None = Field(None, validation_alias="HUNTER_API_KEY")
    hubspot_api_key: SecretStr | None = Field(None, validation_alias="HUBSPOT_API_KEY")
    history_days: int = Field(
        90, gt=0, description="Days after which superseded events, runs and logs leave Dagster's history; the present of each table stays"
    )
    ui_url: str = Field(
        "http://127.0.0.1:3000", pattern=r"^https?://[^\s]+$", description="Where people open Dagster's UI: alerts link to it"
    )
    service_url: str = Field(
        "http://127.0.0.1:8000",
        pattern=r"^https?://[^\s]+$",
        description="Where people open the lead explorer: what Dagster shows of a table links to it",
    )
    smtp_url: SecretStr | None = Field(
        None, description="Mail server for alerts: smtps://user:password@host:465, or smtp:// (STARTTLS where offered)"
    )
    smtp_from: str = Field("lead-assets@localhost", description="Sender of alerts by e-mail")
    openlineage_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s]+$",
        validation_alias="OPENLINEAGE_URL",
        description="Lineage service that is told of every run, e.g. Marquez",
    )
    openlineage_api_key: SecretStr | None = Field(None, validation_alias="OPENLINEAGE_API_KEY")
    openlineage_namespace: str = Field(
        "lead_assets", validation_alias="OPENLINEAGE_NAMESPACE", description="Namespace of jobs and tables there"
    )
    slack_bot_token: SecretStr | None = Field(None, validation_alias="SLACK_BOT_TOKEN")
    routing_json: str | None = Field(
        None,
        validation_alias="ROUTING_JSON",
        description="Routing table that replaces rules/routing.yaml",
    )

    snowflake_account: str | None = Field(
        None, validation_alias="SNOWFLAKE_ACCOUNT", description="Account identifier: organization-account"
    )
    snowflake_user: str | None = Field(None, validation_alias="SNOWFLAKE_USER", description="Service user of the loader")
    snowflake_role: str | None = Field(None, validation_alias="SNOWFLAKE_ROLE")
    snowflake_warehouse: str | None = Field(None, validation_alias="SNOWFLAKE_WAREHOUSE", description="Virtual warehouse")
    snowflake_database: str = Field("LEADS", validation_alias="SNOWFLAKE_DATABASE", pattern=r"^[A-Za-z_][A-Za-z0-9_$]*$")
    snowflake_private_key: SecretStr | None = Field(None, validation_alias="SNOWFLAKE_PRIVATE_KEY", description="PEM, or its base64")
    snowflake_private_key_path: Path | None = Field(None, validation_alias="SNOWFLAKE_PRIVATE_KEY_PATH")
    snowflake_private_key_passphrase: SecretStr | None = Field(None, validation_alias="SNOWFLAKE_PRIVATE_KEY_PASSPHRASE")
    snowflake_token: SecretStr | None = Field(None, validation_alias="SNOWFLAKE_TOKEN", description="OAuth access token, instead of a key")
    snowflake_token_file_path: Path | None = Field(
        None, validation_alias="SNOWFLAKE_TOKEN_FILE_PATH", description="File with the OAuth token; read for each session"
    )
    snowflake_url: str | None = Field(
        None, validation_alias="SNOWFLAKE_URL", description="URL of the account, if not the usual one (private link)"
    )
    snowflake_statement_timeout_seconds: int = Field(
        900, validation_alias="SNOWFLAKE_STATEMENT_TIMEOUT_SECONDS", description="Snowflake ends a statement that takes longer"
    )
    snowflake_network_timeout_seconds: int = Field(
        930,
        validation_alias="SNOWFLAKE_NETWORK_TIMEOUT_SECONDS",
        description="How long the connector retries a request. Running statements count towards it: keep it above the statement timeout",
    )

    @field_validator("home")
    @classmethod
    def _can_hold_databases(cls, home: Path) -> Path:
        """A ~ is the user's folder, in .env too, where no shell says so."""
        home = Path(os.path.expanduser(home))
        path = str(home.resolve())
        if "?" in path or unquote(path) != path:
            raise ValueError(f"{path} has a ? or a %XX in it, which Dagster's storage reads as parts of a URL: choose another folder")
        return home

    @property
    def world(self) -> Literal["sandbox", "live"]:
        """Whose answers the ledger holds. The two never mix, or a made-up answer would be served as a fact."""
        return "sandbox" if self.sandbox_url else "live"

    def secret(self, variable: str) -> SecretStr | None:
        """A vendor's credential by its environment variable: a field of these settings, or read from the same source."""
        for name, field in type(self).model_fields.items():
            if field.validation_alias == variable:
                declared: SecretStr | None = getattr(self, name)
                return declared
        file = self.model_config.get("env_file")
        value = os.environ.get(variable) or (dotenv_values(str(file)).get(variable) if file else None)
        return SecretStr(value) if value else None

    @property
    def limits(self) -> DropLimits:
        return DropLimits(self.max_payload_bytes, self.max_drop_bytes, self.max_unpack_ratio)

    @property
    def archive_location(self) -> str:
        """Folder or gs:// URL. Raises ValueError if production has none."""
        if self.env == "production" and not self.archive_url:
            return _bucket_url(self._bucket("LEAD_ASSETS_ARCHIVE_URL"))
        return self.archive_url or str(self.home / "archive")

    @property
    def landing_location(self) -> str:
        """Folder or gs:// URL. Raises ValueError if production has none."""
        if self.env == "production" and not self.landing_url:
            return _bucket_url(self._bucket("LEAD_ASSETS_LANDING_URL")) + "/landing"
        return self.landing_url or str(self.home / "landing")

    @property
    def derived_location(self) -> str:
        """Folder or gs:// URL of what is derived from the archive and may be deleted at any time."""
        return f"{self.archive_location}/derived" if self.env == "production" else str(self.home / "derived")

    @property
    def failed_leads_location(self) -> str | None:
        """gs:// URL that rejected payloads are also written to; None if not set, and always None outside production."""
        if self.env != "production" or not self.gcs_failed_leads_bucket:
            return None
        return _bucket_url(self.gcs_failed_leads_bucket)

    @property
    def ledger_location(self) -> str:
        """SQLAlchemy URL including the password: never display it. Raises ValueError if production has no Postgres."""
        url = self.ledger_url.get_secret_value() if self.ledger_url else None
        if self.env == "production" and not (url or "").startswith("postgresql+psycopg2://"):
            raise ValueError(
                "LEAD_ASSETS_ENV=production keeps the ledger and Dagster's storage in one Postgres: set LEAD_ASSETS_LEDGER_URL to "
                "postgresql+psycopg2://<user>:<password>@<host>/<database> (psycopg2 is the driver that Dagster's storage needs)"
            )
        return url or f"sqlite:///{self.home / 'ledger.sqlite'}"

    def _bucket(self, instead: str) -> str:
        if not self.gcs_enrichment_bucket:
            raise ValueError(f"LEAD_ASSETS_ENV=production keeps this in Google Cloud Storage: set GCS_ENRICHMENT_BUCKET (or {instead})")
        return self.gcs_enrichment_bucket

    @property
    def warehouse_folder(self) -> Path:
        return self.home / "warehouse"


def _bucket_url(bucket: str) -> str:
    """`name`, `name/prefix` or `gs://name/prefix`, as people write it."""
    return "gs://" + bucket.removeprefix("gs://").rstrip("/")

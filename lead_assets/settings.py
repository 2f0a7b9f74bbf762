"""Every environment variable the product reads, typed, in one place.

Vendors' variables keep the names that users of the vendors have; the product's own begin with LEAD_ASSETS_. Nothing else in the package reads
os.environ. `.env.example` lists them all and says what works without each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Provider = Literal["pipe0", "anthropic", "aturiya", "apollo", "hunter", "hubspot", "slack", "segment", "sendgrid"]

_LIVE_URLS: dict[str, str] = {
    "pipe0": "https://api.pipe0.com",
    "anthropic": "https://api.anthropic.com",
    "aturiya": "https://api.aturiya.ai",
    "apollo": "https://api.apollo.io/api/v1",
    "hunter": "https://api.hunter.io/v2",
    "hubspot": "https://api.hubapi.com",
    "slack": "https://slack.com/api",
    "segment": "https://api.segment.io",
    "sendgrid": "https://api.sendgrid.com",
}
# The sandbox serves each vendor below its own name, with the path the vendor itself puts behind its host.
_SANDBOX_PATHS: dict[str, str] = {"apollo": "/apollo/api/v1", "hunter": "/hunter/v2", "slack": "/slack/api"}


class Settings(BaseSettings):
    """The environment as the product sees it. Empty variables count as unset. The product's own are read with their prefix only: HOME is not ours."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True, env_prefix="LEAD_ASSETS_"
    )

    home: Path = Field(Path(".lead_assets"), description="Folder of all local state")
    env: Literal["local", "production"] = Field(
        "local",
    )
    sandbox_url: str | None = Field(None, description="Base URL of a running sandbox; replaces every vendor")
    ledger_url: str | None = Field(None, description="SQLAlchemy URL of the ledger; default SQLite below home")
    archive_url: str | None = Field(None, description="Folder or bucket of the archive; default below home")
    landing_url: str | None = Field(None, description="Folder or bucket that is watched for drops")
    rules_dir: Path | None = Field(
        None,
        description="Folder of YAML that replaces lead_assets/rules file by file",
    )
    max_payload_bytes: int = Field(1 << 20, description="A larger single payload is rejected, bytes")

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
    slack_bot_token: SecretStr | None = Field(None, validation_alias="SLACK_BOT_TOKEN")
    routing_json: str | None = Field(
        None,
        validation_alias="ROUTING_JSON",
        description="Routing table that replaces rules/routing.yaml",
    )

    @property
    def world(self) -> Literal["sandbox", "live"]:
        """Whose answers a ledger holds: the two must never meet, or a made-up answer would be served as a fact."""
        return "sandbox" if self.sandbox_url else "live"

    def base_url(self, provider: Provider) -> str:
        """Where a vendor is reached, without a trailing slash."""
        if self.sandbox_url:
            return self.sandbox_url.rstrip("/") + _SANDBOX_PATHS.get(provider, f"/{provider}")
        return _LIVE_URLS[provider]

    def key(self, provider: Provider) -> SecretStr | None:
        """The credential of a vendor; None means its signals are off. The sandbox takes any."""
        name = {"aturiya": "aturiya_bearer_token", "slack": "slack_bot_token"}.get(provider, f"{provider}_api_key")
        configured: SecretStr | None = getattr(self, name, None)
        return SecretStr("sandbox") if self.sandbox_url else configured

    @property
    def archive_location(self) -> str:
        return self.archive_url or str(self.home / "archive")

    @property
    def landing_location(self) -> str:
        return self.landing_url or str(self.home / "landing")

    @property
    def ledger_location(self) -> str:
        return self.ledger_url or f"sqlite:///{self.home / 'ledger.sqlite'}"

    @property
    def warehouse_folder(self) -> Path:
        return self.home / "warehouse"

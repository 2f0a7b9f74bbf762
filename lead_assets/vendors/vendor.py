"""`Vendor`: what a vendor's folder declares, and the parts of the folder that others use.

Each folder has the same files, as far as the vendor needs them: `client` (HTTP), `source` (answers signals), `parsers`, `questions`, `quotas`, `destination`
(takes deliveries). A part is loaded on first use: a run that buys nothing loads no client.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from lead_assets.core.settings import Settings
from lead_assets.vendors.answers import Parser
from lead_assets.vendors.offer import Opening, SourceClient
from lead_assets.vendors.questions import Ask

if TYPE_CHECKING:
    from lead_assets.vendors.sending import Destination

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor. `package` is its folder, which has the vendor's name."""

    package: str
    live_url: str
    key_variable: str
    """Environment variable of its credential."""
    without: str
    """What happens without the credential, worded for `doctor`."""
    own_mock: Callable[[Settings], bool] = lambda settings: False
    """Whether these settings ask the vendor for its own made-up answers, which cost nothing."""
    says_when_it_sends: bool = False
    """Whether its source tells the ledger when a request leaves. Worth a transaction for requests of a hundred subjects, not for single calls."""

    @property
    def name(self) -> str:
        return self.package.rpartition(".")[2]

    def url(self, settings: Settings) -> str:
        """Its base URL, without a trailing slash. The sandbox serves each vendor below its name, with the same path that the real vendor uses."""
        if settings.sandbox_url:
            return f"{settings.sandbox_url.rstrip('/')}/{self.name}{urlsplit(self.live_url).path}"
        return self.live_url

    def key(self, settings: Settings) -> SecretStr | None:
        """Its credential; None means that the vendor is not asked. The sandbox accepts any."""
        return SecretStr("sandbox") if settings.sandbox_url else settings.secret(self.key_variable) if self.key_variable else None

    def is_mock(self, settings: Settings) -> bool:
        """True if its answers are made up, by the product's sandbox or the vendor's own."""
        return settings.world == "sandbox" or self.own_mock(settings)

    @property
    def answers_signals(self) -> bool:
        return self._has("source")

    @property
    def tells_quotas(self) -> bool:
        return self._has("quotas")

    def open_source(self, opening: Opening) -> AbstractAsyncContextManager[SourceClient]:
        source: AbstractAsyncContextManager[SourceClient] = self._part("source").open_source(opening)
        return source

    async def quotas(self, url: str, key: SecretStr) -> list[Row]:
        """Rows on what is left of the plan (see `lead_assets.vendors.quotas.row`). Raises ProviderError."""
        rows: list[Row] = await self._part("quotas").quotas(url, key)
        return rows

    @property
    def parsers(self) -> Mapping[str, Parser]:
        """By the names that rules/signals.yaml uses."""
        found: Mapping[str, Parser] = self._part("parsers").PARSERS if self._has("parsers") else {}
        return found

    @property
    def questions(self) -> Mapping[str, Ask]:
        """By the names that rules/signals.yaml uses."""
        found: Mapping[str, Ask] = self._part("questions").QUESTIONS if self._has("questions") else {}
        return found

    @property
    def takes_deliveries(self) -> bool:
        return self._has("destination")

    @property
    def destination(self) -> Destination:
        """How deliveries reach it (see `lead_assets.vendors.sending`)."""
        found: Destination = self._part("destination").DESTINATION
        return found

    def _has(self, part: str) -> bool:
        return _exists(f"{self.package}.{part}")

    def _part(self, part: str) -> Any:
        return import_module(f"{self.package}.{part}")


@cache
def _exists(module: str) -> bool:
    return find_spec(module) is not None

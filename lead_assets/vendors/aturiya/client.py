"""Aturiya over HTTP: campaigns, and their leads one page at a time.

There is no public official documentation: the format is inferred from a public third-party client, so models are lenient and leads are passed on unchanged.
Does not belong here: the meaning of lead fields (see `lead_assets.intake.adapters`), retries, or where leads go (see `lead_assets.intake.campaign_api`).
"""

from __future__ import annotations

from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from lead_assets.core.errors import Kind, ProviderError
from lead_assets.vendors.http import HttpAnswer, VendorClient, VendorHttp, json_object, retry_after

PROVIDER = "aturiya"
PER_PAGE = 50
_MAX_PAGES = 10_000
"""Most pages to read: endless pagination is a fault at the vendor, not half a million more leads."""


class _CampaignWire(BaseModel):
    # Input is hidden because a validation error would print personal data.
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True, coerce_numbers_to_str=True)


class Campaign(_CampaignWire):
    id: str
    name: str | None = None


class Pagination(_CampaignWire):
    page: int | None = None
    total_pages: int | None = None
    has_next_page: bool | None = None


class CampaignList(_CampaignWire):
    data: list[Campaign]


class LeadPage(_CampaignWire):
    """One page of leads: raw objects with whatever keys they have."""

    data: list[dict[str, Any]]
    pagination: Pagination = Field(default_factory=Pagination)

    def has_next(self, page: int) -> bool:
        if not self.data:
            return False
        if self.pagination.has_next_page is not None:
            return self.pagination.has_next_page
        return page < (self.pagination.total_pages or 0)


_Model = TypeVar("_Model", CampaignList, LeadPage)


class Aturiya(VendorClient):
    """The vendor's client; use with `async with` inside one event loop. Every failure is a ProviderError."""

    def __init__(self, base_url: str, token: SecretStr, *, user_id: str, agent_id: str) -> None:
        super().__init__(VendorHttp(PROVIDER, base_url, {"authorization": f"Bearer {token.get_secret_value()}"}, connections=2))
        self._agent = f"/users/{quote(user_id, safe='')}/agents/sdr/{quote(agent_id, safe='')}"

    async def campaigns(self) -> list[Campaign]:
        answer = await self._http.request("campaigns", "GET", self._agent + "/campaigns")
        return _read("campaigns", answer, CampaignList).data

    async def leads_page(self, campaign_id: str, page: int) -> LeadPage:
        """One page (from 1) of a campaign's leads."""
        if page > _MAX_PAGES:
            raise ProviderError(PROVIDER, "leads", "contract", "bad_answer")
        params = {"campaign_id": campaign_id, "page": page, "per_page": PER_PAGE}
        answer = await self._http.request("leads", "GET", self._agent + "/leads", params=params)
        return _read("leads", answer, LeadPage)


def _read(operation: str, answer: HttpAnswer, model: type[_Model]) -> _Model:
    if answer.status != 200:
        raise ProviderError(
            PROVIDER, operation, _kind(answer.status), "provider_error", status=answer.status, retry_after=retry_after(answer)
        )
    try:
        return model.model_validate(json_object(PROVIDER, operation, answer))
    except ValidationError:
        # `from None`, because the cause would contain the leads.
        raise ProviderError(PROVIDER, operation, "contract", "bad_answer", status=answer.status) from None


def _kind(status: int) -> Kind:
    if status in (401, 403):
        return "auth"
    if status == 402:
        return "quota"
    if status == 429:
        return "rate_limited"
    if status == 408 or status >= 500:
        return "transient"
    return "permanent" if status >= 400 else "contract"

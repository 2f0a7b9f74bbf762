"""A destination that has somebody is asked to delete them."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from lead_assets.core.errors import ProviderError
from lead_assets.core.settings import Settings
from lead_assets.sandbox import Handle
from lead_assets.vendors import destinations
from lead_assets.vendors.http import VendorHttp
from lead_assets.vendors.hubspot.client import HubSpot

EMAILS = ["jane@acme.example", "joe@acme.example", "kim@acme.example"]


def test_hubspot_deletes_a_contact_by_its_id_or_address(settings: Settings, sandbox: Handle) -> None:
    vendor = destinations()["hubspot"]
    key, url = vendor.key(settings), vendor.url(settings)
    assert key is not None

    async def asked() -> list[str]:
        async with HubSpot(VendorHttp("hubspot", url, {"authorization": f"Bearer {key.get_secret_value()}"})) as client:
            made = await client.upsert([{"id": email, "idProperty": "email", "properties": {"email": email}} for email in EMAILS])
            ids = {each["properties"]["email"]: each["id"] for each in made["results"]}
            assert await vendor.destination.forget(url, key, EMAILS[0], ids[EMAILS[0]])
            assert await vendor.destination.forget(url, key, EMAILS[1].upper(), None)
            assert await vendor.destination.forget(url, key, "nobody@acme.example", None)
            return list(await client.read(EMAILS, []))

    assert asyncio.run(asked()) == EMAILS[2:]


def test_a_refused_request_is_an_error_without_the_address(settings: Settings, sandbox: Handle) -> None:
    vendor = destinations()["hubspot"]
    key = vendor.key(settings)
    assert key is not None
    sandbox.set_fault("hubspot", "status", status=403)
    with pytest.raises(ProviderError) as caught:
        asyncio.run(vendor.destination.forget(vendor.url(settings), key, EMAILS[0], None))
    assert caught.value.reason == "missing_scope"
    assert "jane" not in str(caught.value)


def test_a_destination_without_a_way_to_delete_says_so(settings: Settings) -> None:
    vendor = destinations()["slack"]
    assert asyncio.run(vendor.destination.forget("http://127.0.0.1:9", SecretStr("x"), EMAILS[0], None)) is False

"""What all clients share."""

from __future__ import annotations

import asyncio

import pytest

from lead_assets.core.errors import ProviderError
from lead_assets.sandbox import Handle
from lead_assets.vendors.http import HttpAnswer, VendorHttp


def test_a_huge_answer_is_not_read_to_its_end(sandbox: Handle) -> None:
    async def ask() -> HttpAnswer:
        async with VendorHttp("pipe0", sandbox.url + "/pipe0", {"authorization": "Bearer k"}) as http:
            return await http.request("check", "GET", "/v1/pipes/check/r")

    sandbox.set_fault("pipe0", "huge_body", size=15_000_000)
    assert len(asyncio.run(ask()).body) == 15_000_000
    sandbox.clear_faults()
    sandbox.set_fault("pipe0", "huge_body", size=50_000_000)
    with pytest.raises(ProviderError) as refused:
        asyncio.run(ask())
    assert refused.value.kind == "contract"


def test_a_client_works_inside_its_block_only() -> None:
    http = VendorHttp("pipe0", "http://127.0.0.1:9", {})
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(http.request("check", "GET", "/"))

"""The run tag that forbids purchases: anything but a correct value must not buy."""

from pathlib import Path

import pytest
from dagster import DagsterInstance, OpExecutionContext, job, op

from lead_assets.kit.declare import BUY_TAG
from lead_assets.kit.resources import ledger_resource, rules_resource
from lead_assets.ledger import Ledger, purchase
from lead_assets_tests.ledger.vendor import Vendor, wants


def bought_under(tags: dict[str, str], ledger: Ledger) -> tuple[bool, int, str]:
    """(whether a run with these tags succeeds, how many requests it makes, what its failure says)"""
    vendor = Vendor()

    @op(required_resource_keys={"ledger"})
    def buys(context: OpExecutionContext) -> None:
        purchase(context.resources.ledger, wants(3), vendor)

    @job(resource_defs={"ledger": ledger_resource(ledger), "rules": rules_resource(lambda: None)})
    def run() -> None:
        buys()

    with DagsterInstance.ephemeral() as instance:
        done = run.execute_in_process(instance=instance, tags=tags, raise_on_error=False)
        text = " ".join(str(event.event_specific_data) for event in done.all_events)
    return done.success, len(vendor.requests), text


@pytest.mark.parametrize("wish", ["nevr", "Never", "no", "", "false", "ALWAYS"])
def test_a_misspelt_buy_tag_buys_nothing_and_says_what_to_write(tmp_path: Path, wish: str) -> None:
    succeeded, requests, text = bought_under({BUY_TAG: wish}, Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))
    assert (succeeded, requests) == (False, 0)
    assert "use 'never'" in text


@pytest.mark.parametrize(("tags", "requests"), [({}, 1), ({BUY_TAG: "always"}, 1), ({BUY_TAG: "never"}, 0)])
def test_only_never_stops_buying(tmp_path: Path, tags: dict[str, str], requests: int) -> None:
    assert bought_under(tags, Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}"))[:2] == (True, requests)

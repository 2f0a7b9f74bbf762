"""What a Dagster run needs before its first step: valid rules, the ledger, the warehouse.
https://docs.dagster.io/guides/build/external-resources

Dagster creates resources before the first step, so a run with broken rules fails there: no step runs, and nothing is bought or written.

Does not belong here: anything else about rules, ledger or warehouse, which do not know Dagster.
"""

from __future__ import annotations

from collections.abc import Callable

from dagster import InitResourceContext, IOManager, IOManagerDefinition, ResourceDefinition

from lead_assets.core.document import RulesError
from lead_assets.kit.declare import BUY_TAG
from lead_assets.ledger.ledger import Ledger

RULES = "rules"
_NO_RETRIES = {"dagster/max_retries": "0"}


def rules_resource(check: Callable[[], None]) -> ResourceDefinition:
    """`check` raises RulesError listing every fault, and the run fails with that text."""

    def before_the_first_step(context: InitResourceContext) -> None:
        try:
            check()
        except RulesError:
            if context.run and context.instance:
                # No retries: the run would fail again until somebody fixes the rules.
                context.instance.add_run_tags(context.run.run_id, _NO_RETRIES)
            raise

    return ResourceDefinition(before_the_first_step, description="The business rules, checked before a run's first step")


def ledger_resource(ledger: Ledger) -> ResourceDefinition:
    """The ledger. In runs tagged `lead_assets/buy: never` it only recalls answers: such a run costs nothing, whatever is missing."""

    def of_run(context: InitResourceContext) -> Ledger:
        wish = context.run.tags.get(BUY_TAG, "always") if context.run else "always"
        if wish not in ("always", "never"):
            # A misspelt "never" must not lead to purchases.
            raise ValueError(f"run tag {BUY_TAG}: unknown value {wish!r}: use 'never', or remove the tag to buy what is missing")
        return ledger.recall_only() if wish == "never" else ledger

    return ResourceDefinition(
        of_run, required_resource_keys={RULES}, description="Journal of everything that costs money or cannot be redone"
    )


def warehouse_resource(warehouse: IOManager) -> IOManagerDefinition:
    """The warehouse. Every asset needs it, so no run of assets starts without checking the rules."""
    return IOManagerDefinition(lambda _context: warehouse, required_resource_keys={RULES}, description="Tables that analysts read")

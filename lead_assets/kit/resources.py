"""What a run of Dagster's needs before its first step: rules that can be used, the ledger, the warehouse.
https://docs.dagster.io/guides/build/external-resources

Dagster makes a run's resources before its first step. So a run whose rules are broken fails there: no step runs, nothing is bought or written.

Does not belong here: anything else of rules, ledger or warehouse, which know nothing of Dagster.
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
    """`check` raises RulesError with every fault, and the run fails with its text."""

    def before_the_first_step(context: InitResourceContext) -> None:
        try:
            check()
        except RulesError:
            if context.run and context.instance:
                # It would fail again until somebody mends the rules.
                context.instance.add_run_tags(context.run.run_id, _NO_RETRIES)
            raise

    return ResourceDefinition(before_the_first_step, description="The business's rules, checked before a run's first step")


def ledger_resource(ledger: Ledger) -> ResourceDefinition:
    """The ledger, which only recalls in runs that carry the tag `lead_assets/buy` with the value `never`: such a run costs nothing, whatever it lacks."""

    def of_run(context: InitResourceContext) -> Ledger:
        wish = context.run.tags.get(BUY_TAG, "always") if context.run else "always"
        if wish not in ("always", "never"):
            # A misspelt "never" must not buy.
            raise ValueError(f"run tag {BUY_TAG}: {wish!r} means nothing: use 'never', or leave the tag out to buy what is missing")
        return ledger.recall_only() if wish == "never" else ledger

    return ResourceDefinition(of_run, required_resource_keys={RULES}, description="Journal of what costs money or cannot be redone")


def warehouse_resource(warehouse: IOManager) -> IOManagerDefinition:
    """The warehouse, which every asset is written to: so no run of assets begins without a look at the rules."""
    return IOManagerDefinition(lambda _context: warehouse, required_resource_keys={RULES}, description="Tables that analysts read")

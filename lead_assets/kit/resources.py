"""The ledger as a resource of Dagster's runs. https://docs.dagster.io/guides/build/external-resources

Does not belong here: anything else of the ledger, which knows nothing of Dagster.
"""

from __future__ import annotations

from dagster import InitResourceContext, ResourceDefinition

from lead_assets.kit.declare import BUY_TAG
from lead_assets.ledger.ledger import Ledger


def ledger_resource(ledger: Ledger) -> ResourceDefinition:
    """The ledger, closed for runs that carry the tag `lead_assets/buy` with the value `never`: such a run costs nothing, whatever it lacks."""

    def of_run(context: InitResourceContext) -> Ledger:
        wish = context.run.tags.get(BUY_TAG, "always") if context.run else "always"
        if wish not in ("always", "never"):
            # A misspelt "never" must not buy.
            raise ValueError(f"run tag {BUY_TAG}: {wish!r} means nothing: use 'never', or leave the tag out to buy what is missing")
        return ledger.closed() if wish == "never" else ledger

    return ResourceDefinition(of_run, description="Journal of what costs money or cannot be redone")

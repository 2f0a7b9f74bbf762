"""Dagster's view of the marts room: one asset per SQL file, its dependencies read from the SQL."""

from dagster import AssetsDefinition, MetadataValue

from lead_assets.contracts import CampaignFunnel, Table
from lead_assets.kit.step import Made, Step
from lead_assets.kit.tables import tables
from lead_assets.marts.mart import mart


def mart_asset(contract: type[Table]) -> AssetsDefinition:
    """The asset of a mart. Adding one takes a contract and sql/marts/<table>.sql."""
    declared = mart(contract)
    # Of a table of its own grain a mart sees the partitions that are made; of any other, and for a mart of the whole home, all there is.
    own = [read for read in declared.reads if read.grain == contract.grain != "home"]
    whole = {read: None for read in declared.reads if read not in own}

    @tables(contract, queries=own, whole=whole, version=declared.version, kinds=["sql"])
    def build(step: Step) -> Made:
        frame = step.query(declared.sql, declared.reads)
        return Made(frame, shown={"sql": MetadataValue.md(f"```sql\n{declared.sql}\n```")})

    return build


campaign_funnel = mart_asset(CampaignFunnel)

"""Dagster's view of the marts room: one asset a SQL file, its dependencies read from the SQL."""

from dagster import AssetExecutionContext, AssetsDefinition, MaterializeResult, MetadataValue, ResourceParam, asset

from lead_assets.contracts import CampaignFunnel, Table
from lead_assets.kit.declare import asset_of, key_of, result_of
from lead_assets.kit.io_manager import WarehouseIOManager
from lead_assets.marts.mart import mart


def mart_asset(contract: type[Table]) -> AssetsDefinition:
    """The asset of a mart. Adding one takes a contract and sql/marts/<table>.sql."""

    @asset(**asset_of(contract, kinds=["sql"], logic_version=mart(contract).version), deps=[key_of(read) for read in mart(contract).reads])
    def build(context: AssetExecutionContext, warehouse: ResourceParam[WarehouseIOManager]) -> MaterializeResult:
        declared = mart(contract)
        frame = warehouse.query(context, declared.sql, declared.reads)
        return result_of(contract, frame, sql=MetadataValue.md(f"```sql\n{declared.sql}\n```"))

    return build


campaign_funnel = mart_asset(CampaignFunnel)

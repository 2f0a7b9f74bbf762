"""What the UI says of an asset besides its contract: where its rows are, which files decide them, what it costs, whether personal data is in it.

Does not belong here: what one materialization shows (see `shown`).
"""

from __future__ import annotations

import warnings

from dagster import AssetsDefinition, AssetSpec, CodeReferencesMetadataValue, LocalFileCodeReference

from lead_assets.contracts import TABLES
from lead_assets.core.settings import Settings
from lead_assets.kit.tables import BASES
from lead_assets.kit.versions import decided_by
from lead_assets.stores.warehouse.base import Warehouse

# We use them on purpose, and every user of every command would see the warning, once for each asset.
warnings.filterwarnings("ignore", message=".*CodeReference.*currently in beta.*")

_LAYERS = {"intake": "raw", "marts": "mart"}


def described(asset: AssetsDefinition, settings: Settings, warehouse: Warehouse) -> AssetsDefinition:
    """The asset with its place in the warehouse, code references and tags."""
    return asset.map_asset_specs(lambda spec: _described(spec, settings, warehouse))


def _described(spec: AssetSpec, settings: Settings, warehouse: Warehouse) -> AssetSpec:
    contract = TABLES.get(".".join(spec.key.path))
    if contract is None:
        return spec
    references = [
        LocalFileCodeReference(file_path=path, line_number=line, label=label) for path, line, label in decided_by(spec.key, settings)
    ]
    kind, full_name, uri = warehouse.place_of(contract)
    return spec.merge_attributes(
        metadata={
            "dagster/uri": uri,
            "dagster/table_name": full_name,
            "dagster/code_references": CodeReferencesMetadataValue(code_references=references),
        },
        tags={
            "dagster/storage_kind": kind,
            "lead_assets/pii": "yes" if any(column.pii for column in contract.columns()) else "no",
            "lead_assets/cost": "paid" if contract.table in BASES and BASES[contract.table].buys else "free",
            "lead_assets/layer": _LAYERS.get(contract.schema_name(), "core"),
        },
    )

"""lead_assets: raw campaign leads in, enriched, classified, scored and routed leads out, as a Dagster asset graph."""

-- One row per campaign: what a lead, an enriched lead and a qualified lead cost, and what was paid that no table shows.
WITH paid AS (
    SELECT campaign_id, SUM(cost_usd) AS ledger_usd, SUM(uncertain_usd) AS uncertain_usd FROM spending.calls GROUP BY campaign_id
),
campaigns AS (
    SELECT campaign_id FROM paid
    UNION
    SELECT campaign_id FROM marts.campaign_funnel
)
SELECT
    campaigns.campaign_id,
    COALESCE(funnel.leads, 0) AS leads,
    COALESCE(funnel.enriched, 0) AS enriched,
    COALESCE(funnel.hot, 0) AS qualified,
    COALESCE(paid.ledger_usd, 0) AS ledger_usd,
    COALESCE(paid.uncertain_usd, 0) AS uncertain_usd,
    COALESCE(funnel.cost_usd, 0) AS shown_usd,
    COALESCE(paid.ledger_usd, 0) - COALESCE(funnel.cost_usd, 0) AS unshown_usd,
    ROUND(CAST(paid.ledger_usd AS DOUBLE) / NULLIF(funnel.leads, 0), 6) AS usd_per_lead,
    ROUND(CAST(paid.ledger_usd AS DOUBLE) / NULLIF(funnel.enriched, 0), 6) AS usd_per_enriched,
    ROUND(CAST(paid.ledger_usd AS DOUBLE) / NULLIF(funnel.hot, 0), 6) AS usd_per_qualified
FROM campaigns
LEFT JOIN paid ON paid.campaign_id = campaigns.campaign_id
LEFT JOIN marts.campaign_funnel AS funnel ON funnel.campaign_id = campaigns.campaign_id

-- One row per campaign: its rates, and its share of the total over all campaigns. The shares in a column add up to 1.
SELECT
    campaign_id,
    received,
    leads,
    routed,
    hot,
    cost_usd,
    CAST(rejected AS DOUBLE) / NULLIF(received, 0) AS rejected_rate,
    CAST(duplicate AS DOUBLE) / NULLIF(received, 0) AS duplicate_rate,
    CAST(enriched AS DOUBLE) / NULLIF(leads, 0) AS enriched_rate,
    CAST(quarantined AS DOUBLE) / NULLIF(leads, 0) AS quarantined_rate,
    CAST(routed AS DOUBLE) / NULLIF(leads, 0) AS routed_rate,
    CAST(routed_fallback AS DOUBLE) / NULLIF(routed, 0) AS fallback_rate,
    CAST(hot AS DOUBLE) / NULLIF(scored, 0) AS hot_rate,
    CAST(cost_usd AS DOUBLE) / NULLIF(leads, 0) AS usd_per_lead,
    CAST(received AS DOUBLE) / NULLIF(SUM(received) OVER (), 0) AS share_of_received,
    CAST(leads AS DOUBLE) / NULLIF(SUM(leads) OVER (), 0) AS share_of_leads,
    CAST(hot AS DOUBLE) / NULLIF(SUM(hot) OVER (), 0) AS share_of_hot,
    CAST(cost_usd AS DOUBLE) / NULLIF(CAST(SUM(cost_usd) OVER () AS DOUBLE), 0) AS share_of_cost
FROM marts.campaign_funnel

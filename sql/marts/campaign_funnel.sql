-- One row per campaign: how many payloads arrived, and what happened to each of them.
-- received = leads + rejected + duplicate + suppressed, and leads = classified + quarantined; checks on the assets enforce this.
WITH raw AS (
    SELECT campaign_id, COUNT(*) AS good FROM intake.raw_leads GROUP BY campaign_id
),
rejected AS (
    SELECT campaign_id, COUNT(*) AS n FROM intake.rejected_payloads GROUP BY campaign_id
),
duplicate AS (
    SELECT campaign_id, COUNT(*) AS n FROM identity.duplicates GROUP BY campaign_id
),
suppressed AS (
    SELECT campaign_id, COUNT(*) AS n FROM identity.suppressed GROUP BY campaign_id
),
leads AS (
    SELECT campaign_id, COUNT(*) AS n FROM identity.leads GROUP BY campaign_id
),
enriched AS (
    SELECT
        campaign_id,
        SUM(CASE WHEN ARRAY_LENGTH(signals_found) > 0 THEN 1 ELSE 0 END) AS n,
        SUM(signals_cost_usd) AS cost_usd
    FROM signals.enriched_leads GROUP BY campaign_id
),
classified AS (
    SELECT campaign_id, COUNT(*) AS n, SUM(cost_usd) AS cost_usd FROM classification.classifications GROUP BY campaign_id
),
quarantined AS (
    SELECT campaign_id, COUNT(*) AS n, SUM(cost_usd) AS cost_usd FROM classification.quarantine GROUP BY campaign_id
),
briefed AS (
    SELECT campaign_id, SUM(cost_usd) AS cost_usd
    FROM (
        SELECT campaign_id, cost_usd FROM classification.summaries
        UNION ALL
        SELECT campaign_id, cost_usd FROM classification.summary_quarantine
    ) AS briefs
    GROUP BY campaign_id
),
scored AS (
    SELECT campaign_id, COUNT(*) AS n, SUM(CASE WHEN tier = 'hot' THEN 1 ELSE 0 END) AS hot FROM scoring.scores GROUP BY campaign_id
),
routed AS (
    SELECT campaign_id, COUNT(*) AS n, SUM(CASE WHEN fallback THEN 1 ELSE 0 END) AS fallback FROM routing.decisions GROUP BY campaign_id
),
campaigns AS (
    SELECT campaign_id FROM raw UNION SELECT campaign_id FROM rejected
)
SELECT
    campaigns.campaign_id,
    COALESCE(raw.good, 0) + COALESCE(rejected.n, 0) AS received,
    COALESCE(rejected.n, 0) AS rejected,
    COALESCE(duplicate.n, 0) AS duplicate,
    COALESCE(suppressed.n, 0) AS suppressed,
    COALESCE(leads.n, 0) AS leads,
    COALESCE(enriched.n, 0) AS enriched,
    COALESCE(classified.n, 0) AS classified,
    COALESCE(quarantined.n, 0) AS quarantined,
    COALESCE(scored.n, 0) AS scored,
    COALESCE(routed.n, 0) AS routed,
    COALESCE(routed.fallback, 0) AS routed_fallback,
    COALESCE(scored.hot, 0) AS hot,
    COALESCE(enriched.cost_usd, 0) + COALESCE(classified.cost_usd, 0) + COALESCE(quarantined.cost_usd, 0)
        + COALESCE(briefed.cost_usd, 0) AS cost_usd
FROM campaigns
LEFT JOIN raw ON raw.campaign_id = campaigns.campaign_id
LEFT JOIN rejected ON rejected.campaign_id = campaigns.campaign_id
LEFT JOIN duplicate ON duplicate.campaign_id = campaigns.campaign_id
LEFT JOIN suppressed ON suppressed.campaign_id = campaigns.campaign_id
LEFT JOIN leads ON leads.campaign_id = campaigns.campaign_id
LEFT JOIN enriched ON enriched.campaign_id = campaigns.campaign_id
LEFT JOIN classified ON classified.campaign_id = campaigns.campaign_id
LEFT JOIN quarantined ON quarantined.campaign_id = campaigns.campaign_id
LEFT JOIN briefed ON briefed.campaign_id = campaigns.campaign_id
LEFT JOIN scored ON scored.campaign_id = campaigns.campaign_id
LEFT JOIN routed ON routed.campaign_id = campaigns.campaign_id

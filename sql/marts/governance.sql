-- One row per model, profile and outcome of the contract's check: accepted, or the code of a quarantine. Rates are of the model's leads under that profile.
WITH every AS (
    SELECT
        campaign_id, lead_id, model, profile, 'accepted' AS code, attempts, input_tokens, output_tokens, cost_usd
    FROM classification.classifications
    UNION ALL
    SELECT campaign_id, lead_id, model, profile, code, attempt AS attempts, input_tokens, output_tokens, cost_usd FROM classification.quarantine
),
sums AS (
    SELECT
        model,
        profile,
        code,
        COUNT(*) AS leads,
        COUNT(DISTINCT campaign_id) AS campaigns,
        SUM(CASE WHEN attempts > 1 THEN 1 ELSE 0 END) AS asked_again,
        SUM(attempts) AS calls,
        SUM(input_tokens) AS input_tokens,
        SUM(output_tokens) AS output_tokens,
        SUM(cost_usd) AS cost_usd
    FROM every
    GROUP BY model, profile, code
)
SELECT
    model,
    profile,
    code,
    leads,
    campaigns,
    ROUND(CAST(leads AS DOUBLE) / SUM(leads) OVER (PARTITION BY model, profile), 6) AS rate,
    asked_again,
    calls,
    input_tokens,
    output_tokens,
    cost_usd,
    ROUND(CAST(cost_usd AS DOUBLE) / leads, 6) AS usd_per_lead
FROM sums

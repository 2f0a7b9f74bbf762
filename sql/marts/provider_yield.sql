-- One row per provider and signal. An unknown is never a "no": it counts against the yield but not against the hit rate.
WITH asked AS (
    SELECT
        provider,
        signal,
        SUM(answers + uncertain_calls) AS asked,
        SUM(CASE WHEN state = 'found' THEN answers ELSE 0 END) AS found,
        SUM(CASE WHEN state = 'not_found' THEN answers ELSE 0 END) AS not_found,
        SUM(CASE WHEN state = 'unknown' THEN answers + uncertain_calls ELSE 0 END) AS unknown,
        SUM(cost_usd) AS cost_usd,
        COUNT(DISTINCT campaign_id) AS campaigns
    FROM spending.calls
    WHERE signal IS NOT NULL
    GROUP BY provider, signal
)
SELECT
    provider,
    signal,
    asked,
    found,
    not_found,
    unknown,
    ROUND(CAST(found AS DOUBLE) / NULLIF(found + not_found, 0), 6) AS hit_rate,
    ROUND(CAST(found AS DOUBLE) / NULLIF(asked, 0), 6) AS yield_rate,
    cost_usd,
    ROUND(CAST(cost_usd AS DOUBLE) / NULLIF(found, 0), 6) AS usd_per_found,
    campaigns
FROM asked

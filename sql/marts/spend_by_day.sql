-- One row per day, provider and campaign. Home-wide, so a day's total includes every campaign, even those outside the current run.
WITH spent AS (
    SELECT
        day,
        provider,
        campaign_id,
        SUM(answers) AS answers,
        SUM(calls) AS calls,
        SUM(cost_usd) AS cost_usd,
        SUM(uncertain_calls) AS uncertain_calls,
        SUM(uncertain_usd) AS uncertain_usd
    FROM spending.calls
    GROUP BY day, provider, campaign_id
)
SELECT
    day,
    provider,
    campaign_id,
    answers,
    calls,
    cost_usd,
    uncertain_calls,
    uncertain_usd,
    SUM(cost_usd) OVER (PARTITION BY day) AS day_usd,
    SUM(cost_usd) OVER (PARTITION BY provider, campaign_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS total_usd
FROM spent

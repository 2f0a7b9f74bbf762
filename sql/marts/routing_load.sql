-- One row per territory and owner: how many leads went to each, against an even share among the territory's owners, and how soon they are due.
WITH sums AS (
    SELECT
        territory,
        owner,
        COUNT(*) AS leads,
        COUNT(DISTINCT account_key) AS accounts,
        COUNT(DISTINCT campaign_id) AS campaigns,
        SUM(CASE WHEN tier = 'hot' THEN 1 ELSE 0 END) AS hot,
        SUM(CASE WHEN tier = 'warm' THEN 1 ELSE 0 END) AS warm,
        SUM(CASE WHEN tier = 'cold' THEN 1 ELSE 0 END) AS cold,
        SUM(CASE WHEN fallback THEN 1 ELSE 0 END) AS fallback,
        COUNT(sla_due_at) AS with_sla,
        AVG(DATE_DIFF('minute', assigned_at, sla_due_at)) AS sla_minutes,
        MAX(assigned_at) AS last_assigned_at
    FROM routing.decisions
    GROUP BY territory, owner
)
SELECT
    territory,
    owner,
    leads,
    accounts,
    campaigns,
    hot,
    warm,
    cold,
    fallback,
    ROUND(CAST(leads AS DOUBLE) / SUM(leads) OVER (), 6) AS share_of_all,
    COUNT(owner) OVER (PARTITION BY territory) AS owners,
    ROUND(CAST(leads AS DOUBLE) / SUM(leads) OVER (PARTITION BY territory), 6) AS share_of_territory,
    ROUND(CAST(leads AS DOUBLE) / SUM(leads) OVER (PARTITION BY territory) - 1.0 / COUNT(owner) OVER (PARTITION BY territory), 6) AS over_even_share,
    with_sla,
    ROUND(CAST(sla_minutes AS DOUBLE), 2) AS sla_minutes,
    last_assigned_at
FROM sums

-- One row per profile and band of ten points: how many leads score so, and how those whose outcome is known ended.
WITH ended AS (
    SELECT campaign_id, lead_id, outcome FROM scoring.outcomes WHERE lead_id IS NOT NULL AND outcome IN ('won', 'lost')
),
scored AS (
    SELECT
        scores.campaign_id,
        scores.lead_id,
        classified.profile,
        scores.score,
        scores.tier,
        ended.outcome,
        CAST(LEAST(FLOOR(scores.score / 10), 9) * 10 AS BIGINT) AS score_from
    FROM scoring.scores AS scores
    JOIN classification.classifications AS classified
        ON classified.campaign_id = scores.campaign_id AND classified.lead_id = scores.lead_id
    LEFT JOIN ended ON ended.campaign_id = scores.campaign_id AND ended.lead_id = scores.lead_id
),
sums AS (
    SELECT
        profile,
        score_from,
        COUNT(lead_id) AS leads,
        SUM(CASE WHEN tier = 'hot' THEN 1 ELSE 0 END) AS hot,
        SUM(CASE WHEN tier = 'warm' THEN 1 ELSE 0 END) AS warm,
        SUM(CASE WHEN tier = 'cold' THEN 1 ELSE 0 END) AS cold,
        -- As decimals, because the sum of floating-point numbers depends on their order, and a rebuild must give the same rows.
        AVG(CAST(score AS DECIMAL(9, 4))) AS mean_score,
        COUNT(outcome) AS ended,
        SUM(CASE WHEN outcome = 'won' THEN 1 ELSE 0 END) AS won
    FROM scored
    GROUP BY profile, score_from
)
SELECT
    profile,
    score_from,
    leads,
    hot,
    warm,
    cold,
    ROUND(mean_score, 4) AS mean_score,
    ROUND(CAST(leads AS DOUBLE) / SUM(leads) OVER (PARTITION BY profile), 6) AS share_of_leads,
    ended,
    won,
    ROUND(CAST(won AS DOUBLE) / NULLIF(ended, 0), 6) AS won_rate,
    ROUND(
        (CAST(won AS DOUBLE) / NULLIF(ended, 0))
        / NULLIF(CAST(SUM(won) OVER (PARTITION BY profile) AS DOUBLE) / NULLIF(SUM(ended) OVER (PARTITION BY profile), 0), 0), 6
    ) AS lift
FROM sums

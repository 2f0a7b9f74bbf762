-- One row per campaign and signal: answers shown that were not bought for this campaign's leads, and what they would have cost.
-- An answer is free if the ledger had it, if another lead of the same company asked already, or if the lead brings it itself.
WITH answers AS (
    SELECT campaign_id, signal, COUNT(call_id) AS bought, SUM(cost_usd) AS cost_usd
    FROM ledger.calls
    WHERE signal IS NOT NULL AND state <> 'unknown'
    GROUP BY campaign_id, signal
),
prices AS (
    SELECT signal, CAST(SUM(cost_usd) AS DOUBLE) / SUM(bought) AS usd_per_answer FROM answers GROUP BY signal
)
SELECT
    coverage.campaign_id,
    coverage.signal,
    coverage.found + coverage.not_found AS shown,
    COALESCE(answers.bought, 0) AS bought,
    coverage.given,
    GREATEST(coverage.found + coverage.not_found - COALESCE(answers.bought, 0), 0) AS saved,
    ROUND(prices.usd_per_answer, 6) AS usd_per_answer,
    ROUND(GREATEST(coverage.found + coverage.not_found - COALESCE(answers.bought, 0), 0) * COALESCE(prices.usd_per_answer, 0), 6) AS saved_usd
FROM marts.signal_coverage AS coverage
LEFT JOIN answers ON answers.campaign_id = coverage.campaign_id AND answers.signal = coverage.signal
LEFT JOIN prices ON prices.signal = coverage.signal

-- One row per campaign and signal: answers shown that were not bought for this campaign's leads, and what they would have cost.
-- An answer is free if the ledger had it, if another lead of the same company asked already, or if the lead brings it itself.
WITH bought AS (
    SELECT campaign_id, signal, COUNT(DISTINCT question) AS bought FROM ledger.calls WHERE signal IS NOT NULL AND NOT uncertain GROUP BY campaign_id, signal
),
prices AS (
    SELECT signal, CAST(SUM(cost_usd) AS DOUBLE) / COUNT(DISTINCT question) AS usd_per_question
    FROM ledger.calls
    WHERE signal IS NOT NULL AND NOT uncertain
    GROUP BY signal
)
SELECT
    coverage.campaign_id,
    coverage.signal,
    coverage.found + coverage.not_found AS shown,
    COALESCE(bought.bought, 0) AS bought,
    coverage.given,
    GREATEST(coverage.found + coverage.not_found - COALESCE(bought.bought, 0), 0) AS saved,
    ROUND(prices.usd_per_question, 6) AS usd_per_question,
    ROUND(GREATEST(coverage.found + coverage.not_found - COALESCE(bought.bought, 0), 0) * COALESCE(prices.usd_per_question, 0), 6) AS saved_usd
FROM marts.signal_coverage AS coverage
LEFT JOIN bought ON bought.campaign_id = coverage.campaign_id AND bought.signal = coverage.signal
LEFT JOIN prices ON prices.signal = coverage.signal

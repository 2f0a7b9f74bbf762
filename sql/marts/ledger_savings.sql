-- One row per campaign and signal: answers shown that were not bought for this campaign's leads, and what they would have cost.
-- An answer is free if the ledger had it, if another lead of the same company asked already, or if the lead brings it itself.
-- A campaign bought an answer if one of its calls for the signal brought it at that time. Calls are not counted: a waterfall may need several for one
-- answer, and several signals may share one ('person + email'). signals.every is the rows of all signals: see lead_assets/marts/mart.py.
WITH calls AS (
    SELECT DISTINCT campaign_id, signal AS served, provider, answered_at FROM ledger.calls WHERE signal IS NOT NULL AND state <> 'unknown'
),
serves AS (
    SELECT named.served, coverage.signal
    FROM (SELECT DISTINCT served FROM calls) AS named
    JOIN (SELECT DISTINCT signal FROM marts.signal_coverage) AS coverage
        ON STRPOS(' + ' || named.served || ' + ', ' + ' || coverage.signal || ' + ') > 0
),
purchases AS (
    SELECT DISTINCT calls.campaign_id, serves.signal, calls.provider, calls.answered_at
    FROM calls
    JOIN serves ON serves.served = calls.served
),
sums AS (
    SELECT
        answers.campaign_id,
        answers.signal,
        SUM(CASE WHEN answers.state <> 'unknown' THEN 1 ELSE 0 END) AS shown,
        COUNT(DISTINCT CASE WHEN answers.state <> 'unknown' AND purchases.answered_at IS NOT NULL THEN answers.subject END) AS bought,
        SUM(CASE WHEN answers.state = 'found' AND answers.provider = 'given' THEN 1 ELSE 0 END) AS given,
        SUM(answers.cost_usd) AS cost_usd
    FROM signals.every AS answers
    LEFT JOIN purchases
        ON purchases.campaign_id = answers.campaign_id AND purchases.signal = answers.signal
        AND purchases.provider = answers.provider AND purchases.answered_at = answers.as_of
    GROUP BY answers.campaign_id, answers.signal
),
prices AS (
    SELECT signal, CAST(SUM(cost_usd) AS DOUBLE) / NULLIF(SUM(bought), 0) AS usd_per_answer FROM sums GROUP BY signal
)
SELECT
    sums.campaign_id,
    sums.signal,
    sums.shown,
    sums.bought,
    sums.given,
    sums.shown - sums.bought AS saved,
    ROUND(prices.usd_per_answer, 6) AS usd_per_answer,
    ROUND((sums.shown - sums.bought) * COALESCE(prices.usd_per_answer, 0), 6) AS saved_usd
FROM sums
JOIN prices ON prices.signal = sums.signal

-- One row per signal and operation of its waterfall, over all attempts in the journal: what each place finds of what it is asked.
WITH sums AS (
    SELECT
        signal,
        operation,
        place,
        provider,
        SUM(CASE WHEN attempt = 1 THEN 1 ELSE 0 END) AS questions,
        COUNT(call_id) AS attempts,
        SUM(CASE WHEN state = 'found' THEN 1 ELSE 0 END) AS found,
        SUM(CASE WHEN state = 'not_found' THEN 1 ELSE 0 END) AS not_found,
        SUM(CASE WHEN state = 'unknown' THEN 1 ELSE 0 END) AS failed,
        SUM(cost_usd) AS cost_usd,
        SUM(uncertain_usd) AS uncertain_usd
    FROM ledger.calls
    WHERE signal IS NOT NULL
    GROUP BY signal, operation, place, provider
)
SELECT
    signal,
    operation,
    place,
    provider,
    questions,
    attempts,
    found,
    not_found,
    failed,
    ROUND(CAST(found AS DOUBLE) / NULLIF(found + not_found, 0), 6) AS hit_rate,
    ROUND(CAST(found AS DOUBLE) / NULLIF(SUM(found) OVER (PARTITION BY signal), 0), 6) AS share_of_found,
    ROUND(
        CAST(SUM(found) OVER (PARTITION BY signal ORDER BY place, operation ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS DOUBLE)
        / NULLIF(SUM(found) OVER (PARTITION BY signal), 0), 6
    ) AS found_so_far,
    ROUND(CAST(attempts AS DOUBLE) / NULLIF(questions, 0), 6) AS attempts_per_question,
    cost_usd,
    uncertain_usd,
    ROUND(CAST(cost_usd AS DOUBLE) / NULLIF(found, 0), 6) AS usd_per_found
FROM sums

-- One row per day, provider and operation: how long answers took, and how often there was none. Over all attempts, also of failed runs.
SELECT
    day,
    provider,
    operation,
    COUNT(call_id) AS calls,
    SUM(CASE WHEN state = 'unknown' AND NOT uncertain THEN 1 ELSE 0 END) AS errors,
    SUM(CASE WHEN uncertain THEN 1 ELSE 0 END) AS uncertain,
    SUM(CASE WHEN attempt > 1 THEN 1 ELSE 0 END) AS repeats,
    ROUND(CAST(SUM(CASE WHEN state = 'unknown' THEN 1 ELSE 0 END) AS DOUBLE) / COUNT(call_id), 6) AS error_rate,
    PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY CAST(latency_ms AS DOUBLE)) AS latency_p50_ms,
    PERCENTILE_CONT(0.95) WITHIN GROUP (ORDER BY CAST(latency_ms AS DOUBLE)) AS latency_p95_ms,
    MAX(latency_ms) AS latency_max_ms,
    SUM(cost_usd) AS cost_usd,
    SUM(uncertain_usd) AS uncertain_usd
FROM ledger.calls
GROUP BY day, provider, operation

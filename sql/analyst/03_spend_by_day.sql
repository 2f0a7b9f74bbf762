-- What was spent on each day, and in total until then?
WITH days AS (
    SELECT day, SUM(cost_usd) AS cost_usd, SUM(calls) AS calls FROM marts.spend_by_day GROUP BY day
)
SELECT
    day,
    calls,
    cost_usd,
    SUM(cost_usd) OVER (ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS so_far_usd
FROM days
ORDER BY day

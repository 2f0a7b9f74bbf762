-- Which provider costs most, and what does it find for the money?
SELECT provider, SUM(asked) AS asked, SUM(found) AS found, SUM(cost_usd) AS cost_usd, CAST(SUM(cost_usd) AS DOUBLE) / NULLIF(SUM(found), 0) AS usd_per_found
FROM marts.provider_yield
GROUP BY provider
ORDER BY cost_usd DESC, provider

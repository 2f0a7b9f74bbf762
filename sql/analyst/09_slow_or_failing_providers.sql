-- Which operations are slow or fail, and on which days?
SELECT day, provider, operation, calls, error_rate, latency_p50_ms, latency_p95_ms
FROM marts.provider_health
WHERE error_rate > 0.05 OR latency_p95_ms > 5000
ORDER BY day DESC, error_rate DESC, operation

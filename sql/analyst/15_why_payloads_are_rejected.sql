-- Why are payloads rejected, and where?
SELECT code, SUM(payloads) AS payloads, COUNT(DISTINCT campaign_id) AS campaigns, MAX(last_received_at) AS last_received_at
FROM marts.reject_reasons
GROUP BY code
ORDER BY payloads DESC, code

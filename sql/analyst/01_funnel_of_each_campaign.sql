-- How many payloads of each campaign became leads, enriched, scored and routed?
SELECT campaign_id, received, rejected, duplicate, suppressed, leads, enriched, classified, quarantined, scored, routed, hot
FROM marts.campaign_funnel
ORDER BY received DESC, campaign_id

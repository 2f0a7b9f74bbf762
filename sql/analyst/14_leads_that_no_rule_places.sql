-- Which campaigns have many leads that no rule places?
SELECT campaign_id, routed, fallback_rate
FROM marts.campaign_scorecard
WHERE fallback_rate > 0
ORDER BY fallback_rate DESC, campaign_id

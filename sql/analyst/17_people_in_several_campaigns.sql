-- Who is in several campaigns, and which campaign had them first?
SELECT first_campaign_id, campaign_id, COUNT(*) AS leads
FROM marts.duplicates_across_campaigns
WHERE NOT is_first
GROUP BY first_campaign_id, campaign_id
ORDER BY leads DESC, first_campaign_id, campaign_id

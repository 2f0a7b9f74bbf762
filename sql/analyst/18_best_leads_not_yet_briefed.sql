-- Which hot leads have an owner but no brief?
SELECT campaign_id, lead_id, owner, score, assigned_at
FROM marts.lead_360
WHERE tier = 'hot' AND owner IS NOT NULL AND briefed_at IS NULL
ORDER BY score DESC, campaign_id, lead_id

-- Which owners have leads that are due, and until when?
SELECT owner, COUNT(*) AS leads, MIN(sla_due_at) AS first_due_at, SUM(CASE WHEN tier = 'hot' THEN 1 ELSE 0 END) AS hot
FROM marts.lead_360
WHERE sla_due_at IS NOT NULL
GROUP BY owner
ORDER BY first_due_at, owner

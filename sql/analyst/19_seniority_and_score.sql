-- Which seniorities and departments score best?
SELECT seniority, department, COUNT(*) AS leads, AVG(score) AS mean_score, SUM(CASE WHEN tier = 'hot' THEN 1 ELSE 0 END) AS hot
FROM marts.lead_360
WHERE score IS NOT NULL
GROUP BY seniority, department
ORDER BY mean_score DESC, seniority, department

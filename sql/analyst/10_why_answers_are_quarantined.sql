-- How often does each model break its contract, and how?
SELECT model, profile, code, leads, rate
FROM marts.governance
WHERE code <> 'accepted'
ORDER BY leads DESC, model, profile, code

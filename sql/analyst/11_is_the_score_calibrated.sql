-- Do leads with a higher score become customers more often?
SELECT profile, score_from, leads, ended, won, won_rate, lift
FROM marts.score_distribution
ORDER BY profile, score_from

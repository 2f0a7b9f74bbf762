-- For which share of leads is each signal known, and why not for the others?
SELECT
    signal,
    SUM(leads) AS leads,
    CAST(SUM(found) AS DOUBLE) / SUM(leads) AS coverage,
    SUM(not_found) AS not_found,
    SUM(not_worth_it) AS not_worth_it,
    SUM(no_subject) AS no_subject,
    SUM(failed) AS failed
FROM marts.signal_coverage
GROUP BY signal
ORDER BY coverage DESC, signal

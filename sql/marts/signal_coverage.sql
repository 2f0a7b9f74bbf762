-- One row per campaign and signal: for how many leads it was found, and why not for the others. An unknown is never a "no".
-- Of the rows of all signals: see signals.every in lead_assets/marts/mart.py.
SELECT
    campaign_id,
    signal,
    COUNT(lead_id) AS leads,
    SUM(CASE WHEN state = 'found' THEN 1 ELSE 0 END) AS found,
    SUM(CASE WHEN state = 'found' AND provider = 'given' THEN 1 ELSE 0 END) AS given,
    SUM(CASE WHEN state = 'not_found' THEN 1 ELSE 0 END) AS not_found,
    SUM(CASE WHEN reason = 'not_worth_it' THEN 1 ELSE 0 END) AS not_worth_it,
    SUM(CASE WHEN reason = 'no_subject' THEN 1 ELSE 0 END) AS no_subject,
    SUM(CASE WHEN state = 'unknown' AND COALESCE(reason, '') NOT IN ('not_worth_it', 'no_subject') THEN 1 ELSE 0 END) AS failed,
    SUM(CASE WHEN stale THEN 1 ELSE 0 END) AS stale,
    ROUND(CAST(SUM(CASE WHEN state = 'found' THEN 1 ELSE 0 END) AS DOUBLE) / NULLIF(COUNT(lead_id), 0), 6) AS coverage,
    ROUND(
        CAST(SUM(CASE WHEN state = 'found' THEN 1 ELSE 0 END) AS DOUBLE)
        / NULLIF(SUM(CASE WHEN state IN ('found', 'not_found') THEN 1 ELSE 0 END), 0), 6
    ) AS hit_rate,
    SUM(cost_usd) AS cost_usd
FROM signals.every AS answers
GROUP BY campaign_id, signal

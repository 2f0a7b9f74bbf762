-- One row per campaign and signal: for how many leads it was found, and why not for the others. An unknown is never a "no".
WITH every AS (
    SELECT campaign_id, lead_id, 'company_overview' AS signal, state, reason, provider, stale, cost_usd FROM signals.company_overview
    UNION ALL SELECT campaign_id, lead_id, 'tech_stack' AS signal, state, reason, provider, stale, cost_usd FROM signals.tech_stack
    UNION ALL SELECT campaign_id, lead_id, 'funding' AS signal, state, reason, provider, stale, cost_usd FROM signals.funding
    UNION ALL SELECT campaign_id, lead_id, 'news' AS signal, state, reason, provider, stale, cost_usd FROM signals.news
    UNION ALL SELECT campaign_id, lead_id, 'linkedin_posts' AS signal, state, reason, provider, stale, cost_usd FROM signals.linkedin_posts
    UNION ALL SELECT campaign_id, lead_id, 'organization' AS signal, state, reason, provider, stale, cost_usd FROM signals.organization
    UNION ALL SELECT campaign_id, lead_id, 'person' AS signal, state, reason, provider, stale, cost_usd FROM signals.person
    UNION ALL SELECT campaign_id, lead_id, 'job_postings' AS signal, state, reason, provider, stale, cost_usd FROM signals.job_postings
    UNION ALL SELECT campaign_id, lead_id, 'contacts' AS signal, state, reason, provider, stale, cost_usd FROM signals.contacts
    UNION ALL SELECT campaign_id, lead_id, 'email' AS signal, state, reason, provider, stale, cost_usd FROM signals.email
)
SELECT
    campaign_id,
    signal,
    COUNT(*) AS leads,
    SUM(CASE WHEN state = 'found' THEN 1 ELSE 0 END) AS found,
    SUM(CASE WHEN state = 'found' AND provider = 'given' THEN 1 ELSE 0 END) AS given,
    SUM(CASE WHEN state = 'not_found' THEN 1 ELSE 0 END) AS not_found,
    SUM(CASE WHEN reason = 'not_worth_it' THEN 1 ELSE 0 END) AS not_worth_it,
    SUM(CASE WHEN reason = 'no_subject' THEN 1 ELSE 0 END) AS no_subject,
    SUM(CASE WHEN state = 'unknown' AND reason NOT IN ('not_worth_it', 'no_subject') THEN 1 ELSE 0 END) AS failed,
    SUM(CASE WHEN stale THEN 1 ELSE 0 END) AS stale,
    ROUND(CAST(SUM(CASE WHEN state = 'found' THEN 1 ELSE 0 END) AS DOUBLE) / NULLIF(COUNT(*), 0), 6) AS coverage,
    ROUND(
        CAST(SUM(CASE WHEN state = 'found' THEN 1 ELSE 0 END) AS DOUBLE)
        / NULLIF(SUM(CASE WHEN state IN ('found', 'not_found') THEN 1 ELSE 0 END), 0), 6
    ) AS hit_rate,
    SUM(cost_usd) AS cost_usd
FROM every
GROUP BY campaign_id, signal

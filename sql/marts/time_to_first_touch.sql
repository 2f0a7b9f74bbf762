-- One row per owner: how long it took until the owner had the first confirmed message about each lead, from the receipt of its first payload.
WITH earlier AS (
    SELECT campaign_id, duplicate_of, MIN(received_at) AS received_at
    FROM identity.duplicates
    GROUP BY campaign_id, duplicate_of
),
touches AS (
    SELECT campaign_id, lead_id, MIN(confirmed_at) AS touched_at, MIN(due_by) AS due_by, SUM(uncertain) AS uncertain
    FROM delivery.deliveries
    WHERE owner IS NOT NULL
    GROUP BY campaign_id, lead_id
),
of_leads AS (
    SELECT
        decisions.campaign_id,
        decisions.owner,
        touches.touched_at,
        CASE WHEN touches.touched_at > touches.due_by THEN 1 ELSE 0 END AS late,
        DATE_DIFF('second', LEAST(leads.received_at, COALESCE(earlier.received_at, leads.received_at)), touches.touched_at) / 60.0 AS minutes
    FROM routing.decisions AS decisions
    JOIN identity.leads AS leads ON leads.campaign_id = decisions.campaign_id AND leads.lead_id = decisions.lead_id
    LEFT JOIN earlier ON earlier.campaign_id = decisions.campaign_id AND earlier.duplicate_of = decisions.lead_id
    JOIN touches ON touches.campaign_id = decisions.campaign_id AND touches.lead_id = decisions.lead_id
)
SELECT
    campaign_id,
    owner,
    COUNT(*) AS leads,
    COUNT(touched_at) AS touched,
    COUNT(*) - COUNT(touched_at) AS waiting,
    MEDIAN(minutes) AS median_minutes,
    MAX(minutes) AS longest_minutes,
    SUM(late) AS breaches
FROM of_leads
GROUP BY campaign_id, owner

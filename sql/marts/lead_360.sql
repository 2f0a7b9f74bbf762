-- One row per lead: what arrived, what was found, judged, decided and sent. Without personal data: join identity.leads to see who it is.
WITH again AS (
    SELECT campaign_id, duplicate_of AS lead_id, COUNT(*) AS n FROM identity.duplicates GROUP BY campaign_id, duplicate_of
),
sent AS (
    SELECT
        campaign_id,
        lead_id,
        COUNT(*) AS messages,
        COUNT(confirmed_at) AS confirmed,
        SUM(CASE WHEN state = 'dead' THEN 1 ELSE 0 END) AS dead,
        MIN(CASE WHEN owner IS NOT NULL THEN confirmed_at END) AS touched_at
    FROM delivery.deliveries
    GROUP BY campaign_id, lead_id
)
SELECT
    leads.campaign_id,
    leads.lead_id,
    leads.account_key,
    leads.adapter,
    leads.drop_sha256,
    leads.position,
    leads.part,
    leads.submitted_at,
    leads.received_at,
    1 + COALESCE(again.n, 0) AS payloads,
    leads.country_code,
    leads.seniority,
    leads.department,
    leads.email_kind,
    pre.pre_score,
    COALESCE(ARRAY_LENGTH(enriched.signals_found), 0) AS signals_found,
    COALESCE(ARRAY_LENGTH(enriched.signals_missed), 0) AS signals_missed,
    enriched.enrichment_quality,
    COALESCE(classified.profile, held.profile) AS profile,
    COALESCE(classified.model, held.model) AS model,
    COALESCE(classified.enriched_at, held.quarantined_at) AS judged_at,
    held.code AS quarantine_code,
    classified.loan_type,
    classified.icp_fit,
    classified.buying_stage,
    classified.urgency_score,
    scores.score,
    scores.tier,
    scores.path,
    decisions.owner,
    decisions.territory,
    decisions.reason AS routing_reason,
    decisions.assigned_at,
    decisions.sla_due_at,
    briefs.enriched_at AS briefed_at,
    events.event_id,
    events.archived_as,
    COALESCE(sent.messages, 0) AS messages,
    COALESCE(sent.confirmed, 0) AS messages_confirmed,
    COALESCE(sent.dead, 0) AS messages_dead,
    sent.touched_at,
    COALESCE(enriched.signals_cost_usd, 0) + COALESCE(classified.cost_usd, 0) + COALESCE(held.cost_usd, 0)
        + COALESCE(briefs.cost_usd, 0) + COALESCE(held_briefs.cost_usd, 0) AS cost_usd
FROM identity.leads AS leads
LEFT JOIN again ON again.campaign_id = leads.campaign_id AND again.lead_id = leads.lead_id
LEFT JOIN signals.pre_scores AS pre ON pre.campaign_id = leads.campaign_id AND pre.lead_id = leads.lead_id
LEFT JOIN signals.enriched_leads AS enriched ON enriched.campaign_id = leads.campaign_id AND enriched.lead_id = leads.lead_id
LEFT JOIN classification.classifications AS classified ON classified.campaign_id = leads.campaign_id AND classified.lead_id = leads.lead_id
LEFT JOIN classification.quarantine AS held ON held.campaign_id = leads.campaign_id AND held.lead_id = leads.lead_id
LEFT JOIN classification.summaries AS briefs ON briefs.campaign_id = leads.campaign_id AND briefs.lead_id = leads.lead_id
LEFT JOIN classification.summary_quarantine AS held_briefs ON held_briefs.campaign_id = leads.campaign_id AND held_briefs.lead_id = leads.lead_id
LEFT JOIN scoring.scores AS scores ON scores.campaign_id = leads.campaign_id AND scores.lead_id = leads.lead_id
LEFT JOIN routing.decisions AS decisions ON decisions.campaign_id = leads.campaign_id AND decisions.lead_id = leads.lead_id
LEFT JOIN delivery.enrichment_events AS events ON events.campaign_id = leads.campaign_id AND events.lead_id = leads.lead_id
LEFT JOIN sent ON sent.campaign_id = leads.campaign_id AND sent.lead_id = leads.lead_id

-- One row per lead whose person is also a lead in another campaign, under whatever e-mail or spelling: see identity.person_leads.
-- Within a campaign, the identity room keeps one lead per person; only a view over all campaigns shows who is in several.
WITH several AS (
    SELECT person_id, COUNT(DISTINCT campaign_id) AS campaigns
    FROM identity.person_leads
    GROUP BY person_id
    HAVING COUNT(DISTINCT campaign_id) > 1
),
placed AS (
    SELECT
        leads.campaign_id,
        leads.lead_id,
        leads.account_key,
        leads.received_at,
        leads.email_normalized,
        several.person_id,
        several.campaigns,
        ROW_NUMBER() OVER (PARTITION BY several.person_id ORDER BY leads.received_at, leads.campaign_id, leads.lead_id) AS place
    FROM identity.leads AS leads
    JOIN identity.person_leads AS person_leads ON person_leads.campaign_id = leads.campaign_id AND person_leads.lead_id = leads.lead_id
    JOIN several ON several.person_id = person_leads.person_id
)
SELECT
    placed.campaign_id,
    placed.lead_id,
    placed.person_id,
    placed.account_key,
    placed.received_at,
    CASE WHEN placed.email_normalized = earliest.email_normalized THEN 'email' ELSE 'person' END AS matched_on,
    earliest.campaign_id AS first_campaign_id,
    earliest.lead_id AS first_lead_id,
    placed.place = 1 AS is_first,
    placed.campaigns
FROM placed
JOIN placed AS earliest ON earliest.person_id = placed.person_id AND earliest.place = 1

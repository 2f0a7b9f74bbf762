-- One row per lead whose person is also a lead in another campaign: the same normalised e-mail, or without one the same person in the account key.
-- Within a campaign, the identity room keeps one lead per person; only a view over all campaigns shows who is in several.
WITH people AS (
    SELECT
        campaign_id,
        lead_id,
        account_key,
        received_at,
        COALESCE(email_normalized, CASE WHEN account_key LIKE 'person:%' THEN account_key END) AS person,
        CASE WHEN email_normalized IS NULL THEN 'person' ELSE 'email' END AS matched_on
    FROM identity.leads
),
shared AS (
    SELECT person, COUNT(DISTINCT campaign_id) AS campaigns
    FROM people
    WHERE person IS NOT NULL
    GROUP BY person
    HAVING COUNT(DISTINCT campaign_id) > 1
),
placed AS (
    SELECT
        people.campaign_id,
        people.lead_id,
        people.account_key,
        people.received_at,
        people.person,
        people.matched_on,
        shared.campaigns,
        ROW_NUMBER() OVER (PARTITION BY people.person ORDER BY people.received_at, people.campaign_id, people.lead_id) AS place
    FROM people
    JOIN shared ON shared.person = people.person
)
SELECT
    placed.campaign_id,
    placed.lead_id,
    placed.account_key,
    placed.received_at,
    placed.matched_on,
    earliest.campaign_id AS first_campaign_id,
    earliest.lead_id AS first_lead_id,
    placed.place = 1 AS is_first,
    placed.campaigns
FROM placed
JOIN placed AS earliest ON earliest.person = placed.person AND earliest.place = 1

-- One row per campaign and reason: payloads that were rejected, and their share of all that arrived.
WITH rejected AS (
    SELECT campaign_id, code, COUNT(*) AS payloads, COUNT(DISTINCT drop_sha256) AS drops, SUM(raw_bytes) AS bytes, MAX(received_at) AS last_received_at
    FROM intake.rejected_payloads
    GROUP BY campaign_id, code
)
SELECT
    rejected.campaign_id,
    rejected.code,
    rejected.payloads,
    rejected.drops,
    rejected.bytes,
    ROUND(CAST(rejected.payloads AS DOUBLE) / NULLIF(funnel.received, 0), 6) AS share_of_received,
    ROUND(CAST(rejected.payloads AS DOUBLE) / SUM(rejected.payloads) OVER (PARTITION BY rejected.campaign_id), 6) AS share_of_rejected,
    rejected.last_received_at
FROM rejected
LEFT JOIN marts.campaign_funnel AS funnel ON funnel.campaign_id = rejected.campaign_id

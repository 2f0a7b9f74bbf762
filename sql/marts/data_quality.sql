-- One row per campaign with leads: which shares of its leads have what is needed to enrich, judge and reach them.
WITH leads AS (
    SELECT
        campaign_id,
        COUNT(*) AS leads,
        SUM(CASE WHEN email_normalized IS NOT NULL THEN 1 ELSE 0 END) AS with_email,
        SUM(CASE WHEN email_kind = 'business' THEN 1 ELSE 0 END) AS with_business_email,
        SUM(CASE WHEN phone_e164 IS NOT NULL THEN 1 ELSE 0 END) AS with_phone,
        SUM(CASE WHEN company_domain IS NOT NULL THEN 1 ELSE 0 END) AS with_company,
        SUM(CASE WHEN country_code IS NOT NULL THEN 1 ELSE 0 END) AS with_country,
        SUM(CASE WHEN title IS NOT NULL THEN 1 ELSE 0 END) AS with_title,
        SUM(CASE WHEN seniority IS NOT NULL THEN 1 ELSE 0 END) AS with_seniority,
        SUM(CASE WHEN name_last IS NOT NULL THEN 1 ELSE 0 END) AS with_name,
        SUM(CASE WHEN unread_fields IS NOT NULL THEN 1 ELSE 0 END) AS with_unread_fields,
        SUM(CASE WHEN possible_duplicates IS NOT NULL THEN 1 ELSE 0 END) AS with_possible_duplicates
    FROM identity.leads
    GROUP BY campaign_id
),
enriched AS (
    SELECT campaign_id, AVG(enrichment_quality) AS enrichment_quality, SUM(CASE WHEN synthetic THEN 1 ELSE 0 END) AS synthetic
    FROM signals.enriched_leads
    GROUP BY campaign_id
)
SELECT
    leads.campaign_id,
    leads.leads,
    ROUND(CAST(leads.with_email AS DOUBLE) / leads.leads, 6) AS with_email,
    ROUND(CAST(leads.with_business_email AS DOUBLE) / leads.leads, 6) AS with_business_email,
    ROUND(CAST(leads.with_phone AS DOUBLE) / leads.leads, 6) AS with_phone,
    ROUND(CAST(leads.with_company AS DOUBLE) / leads.leads, 6) AS with_company,
    ROUND(CAST(leads.with_country AS DOUBLE) / leads.leads, 6) AS with_country,
    ROUND(CAST(leads.with_title AS DOUBLE) / leads.leads, 6) AS with_title,
    ROUND(CAST(leads.with_seniority AS DOUBLE) / leads.leads, 6) AS with_seniority,
    ROUND(CAST(leads.with_name AS DOUBLE) / leads.leads, 6) AS with_name,
    ROUND(CAST(leads.with_email + leads.with_phone + leads.with_company + leads.with_country + leads.with_title + leads.with_name AS DOUBLE) / (6 * leads.leads), 6) AS completeness,
    ROUND(CAST(leads.with_unread_fields AS DOUBLE) / leads.leads, 6) AS with_unread_fields,
    ROUND(CAST(leads.with_possible_duplicates AS DOUBLE) / leads.leads, 6) AS with_possible_duplicates,
    ROUND(CAST(funnel.rejected AS DOUBLE) / NULLIF(funnel.received, 0), 6) AS rejected_rate,
    ROUND(CAST(funnel.duplicate AS DOUBLE) / NULLIF(funnel.received, 0), 6) AS duplicate_rate,
    ROUND(enriched.enrichment_quality, 6) AS enrichment_quality,
    ROUND(CAST(enriched.synthetic AS DOUBLE) / leads.leads, 6) AS synthetic_rate
FROM leads
LEFT JOIN enriched ON enriched.campaign_id = leads.campaign_id
LEFT JOIN marts.campaign_funnel AS funnel ON funnel.campaign_id = leads.campaign_id

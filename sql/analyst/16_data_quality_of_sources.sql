-- Which campaigns bring leads that lack what is needed to reach them?
SELECT campaign_id, leads, completeness, with_email, with_business_email, with_phone, with_title, rejected_rate, duplicate_rate
FROM marts.data_quality
ORDER BY completeness, campaign_id

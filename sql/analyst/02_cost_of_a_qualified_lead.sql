-- What does a lead, an enriched lead and a qualified lead cost in each campaign?
SELECT campaign_id, leads, enriched, qualified, ledger_usd, usd_per_lead, usd_per_enriched, usd_per_qualified
FROM marts.unit_costs
WHERE leads > 0
ORDER BY usd_per_qualified, campaign_id

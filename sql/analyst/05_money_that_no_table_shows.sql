-- Where was money paid for runs that failed or answers since replaced?
SELECT campaign_id, ledger_usd, shown_usd, unshown_usd, uncertain_usd
FROM marts.unit_costs
WHERE unshown_usd > 0 OR uncertain_usd > 0
ORDER BY unshown_usd DESC, campaign_id

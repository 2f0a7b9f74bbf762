-- How much did the ledger save, by signal?
SELECT signal, SUM(shown) AS shown, SUM(bought) AS bought, SUM(saved) AS saved, SUM(saved_usd) AS saved_usd
FROM marts.ledger_savings
GROUP BY signal
ORDER BY saved_usd DESC, signal

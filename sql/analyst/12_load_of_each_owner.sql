-- How many leads has each owner, and how hot are they?
SELECT owner, SUM(leads) AS leads, SUM(accounts) AS accounts, SUM(hot) AS hot, SUM(warm) AS warm, SUM(cold) AS cold, SUM(with_sla) AS with_sla
FROM marts.routing_load
GROUP BY owner
ORDER BY leads DESC, owner

-- In which territories does an owner get more than an even share?
SELECT territory, owner, leads, owners, share_of_territory, over_even_share
FROM marts.routing_load
WHERE owners > 1 AND over_even_share > 0.1
ORDER BY over_even_share DESC, territory, owner

-- What does each place of a waterfall add, and at what price?
SELECT signal, place, provider, operation, questions, hit_rate, share_of_found, found_so_far, usd_per_found
FROM marts.waterfall_yield
ORDER BY signal, place, operation

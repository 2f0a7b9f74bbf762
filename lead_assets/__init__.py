"""lead_assets: raw campaign leads in, enriched, classified, scored and routed leads out, as a Dagster asset graph."""

import gc

# Garbage that refers to itself is sought after 200,000 new objects instead of 700: rows and parsed answers hold none, and looking for some took a third of a
# rebuild's time, and a fifth of what it takes to import Dagster and ours. What no cycle holds is freed at once, as ever. For good: a return to 700 after a step
# searches all that the step has made. More seldom than this, a thousand campaigns in one process take 5 GB instead of 2.
gc.set_threshold(200_000, 20, 20)

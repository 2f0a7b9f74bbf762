"""lead_assets: raw campaign leads in, enriched, classified, scored and routed leads out, as a Dagster asset graph."""

import gc

# Garbage that refers to itself is sought once half a million more objects are alive, instead of 700: rows and parsed answers hold none, and looking for some
# took a third of a rebuild's time, and a fifth of what it takes to import Dagster and ours. What no cycle holds is freed at once, as ever. For good: a return
# to 700 after a step searches all that the step has made. What was found alive is searched again after five such searches, so that a process that serves for
# weeks keeps little of what has died since.
gc.set_threshold(500_000, 5, 5)

"""The scoring room: rules → `scoring.scores`. `ruleset` is the declaration, `score` applies it to a frame, `assets` is Dagster's view."""

"""The scoring room: rules → `scoring.scores`. `ruleset` declares the rules, `score` applies them to a frame, `assets` has the assets."""

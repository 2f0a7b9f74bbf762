"""The briefs room: what the owner of a lead should know before the first talk."""

"""The briefs room: what a lead's owner should know before the first conversation."""

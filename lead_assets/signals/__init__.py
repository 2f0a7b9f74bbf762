"""The signals room: what providers know of a lead's company or person, bought once and explained."""

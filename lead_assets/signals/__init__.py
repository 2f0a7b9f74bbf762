"""The signals room: what providers know about a lead's company or person, bought once and explained."""

"""The classification room: what kind of lead this is, as a claim that either meets its contract or is quarantined."""

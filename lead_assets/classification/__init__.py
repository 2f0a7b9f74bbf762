"""Classification: what kind of lead this is, as a claim that meets its contract or is quarantined."""

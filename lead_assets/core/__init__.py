"""The base of everything, free of Dagster and of any room: settings, the YAML reader for business rules, campaign keys, errors, columns."""

"""What everything stands on and that knows neither Dagster nor a room: settings, the reader of the business's YAML, campaign keys, errors, columns."""

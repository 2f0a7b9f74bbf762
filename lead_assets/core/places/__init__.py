"""What a text says of a place: countries, states and provinces, cities, and the data that this takes. Knows no lead and no table."""

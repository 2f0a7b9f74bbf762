"""The discovery engine: searches for companies and people, and files what it found as a campaign's drop, which intake then takes like any other."""

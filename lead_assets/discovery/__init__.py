"""The discovery engine: searches for companies and people, and files the results as a campaign's drop, which intake reads like any other."""

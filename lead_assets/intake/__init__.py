"""The intake room: turns drops, campaign APIs and files into raw leads, and keeps rejects with their reason."""

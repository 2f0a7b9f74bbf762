"""The intake room: drops, campaign APIs and files become raw leads, and what cannot be taken is kept with its reason."""

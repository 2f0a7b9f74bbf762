"""The service: receives leads, and enriches, scores, shows and changes single leads on demand. A second door into the rooms, without logic of its own."""

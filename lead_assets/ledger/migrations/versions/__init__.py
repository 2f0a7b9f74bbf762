"""One module per step. Never edit a released step: add a new one and name it in `schema.HEAD`."""

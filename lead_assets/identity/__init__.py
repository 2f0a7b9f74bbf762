"""The identity room: who each lead is. `resolve` is its one door; the modules beside it each normalise one kind of value."""

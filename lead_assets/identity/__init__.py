"""The identity room: who each lead is. `resolve` is the entry point; each other module normalises one kind of value."""

"""One module a step. A step that has been released is never edited; a new one goes beside it and `schema.HEAD` names it."""

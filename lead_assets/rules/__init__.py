"""The business's own YAML, and what must be true of all its files together before anything is spent.

Belongs here: the files that ship, which files there are (`files`), what one says of another (`across`), and the check of all of them (`check`). Does not
belong here: what one file may say (see the room that reads it).
"""

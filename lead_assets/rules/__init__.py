"""The business rules in YAML, and what must hold for all files together before anything is spent.

Belongs here: the shipped files, the list of files (`files`), references between them (`across`), and the check of all of them (`check`). Does not
belong here: what a single file may say (see the room that reads it).
"""

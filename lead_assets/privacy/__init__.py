"""The right to be left alone and to be forgotten: suppressions, erasure of one person, export of what is held, retention."""

"""Who is who in any table: rows in, weighed pairs and clusters out, with Splink on DuckDB.

Belongs here: what a column's role means for comparing it, which pairs are looked at, what agreement is worth, and which pairs make one cluster.
Does not belong here: leads, campaigns or ids that must stay the same from one run to the next.
"""

"""The marts room: SQL over the other rooms' tables, one file per table in sql/marts/. `mart` turns such a file into an asset."""

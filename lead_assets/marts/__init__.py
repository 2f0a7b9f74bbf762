"""The marts room: SQL over the other rooms' tables, one file a table below sql/marts/. `mart` makes an asset of such a file."""

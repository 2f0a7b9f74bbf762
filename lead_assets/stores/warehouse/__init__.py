"""The warehouse: every table an analyst reads. Derived, so it can be dropped and rebuilt from archive and ledger to identical rows.

`base.Warehouse` is what both stores promise; `duckdb` keeps it in Parquet files below the home folder; `io_manager` is Dagster's door to either.
"""

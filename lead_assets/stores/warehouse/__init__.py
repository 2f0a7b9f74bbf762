"""The warehouse: every table an analyst reads. Derived, so it can be dropped and rebuilt from archive and ledger to identical rows.

`base.Warehouse` is the common interface; `duckdb` keeps tables as Parquet files below the home folder; `io_manager` connects Dagster to either.
"""

"""DuckDB, the embedded engine: the warehouse file, telemetry in folders, published Parquet."""

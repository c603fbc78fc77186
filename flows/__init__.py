"""The runs: steps as plain functions, one runner, and the two shells around it (CLI, Prefect)."""

"""A run: the steps as plain functions, and the one runner. No Prefect in here."""

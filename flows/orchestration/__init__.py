"""Prefect: one flow per pipeline, steps as tasks, deployments, and a local test server."""

"""Prefect: a flow per described pipeline, steps as tasks, deployments, a server for a first try."""

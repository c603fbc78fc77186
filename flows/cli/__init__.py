"""The command line: runs without Prefect and without a server."""

from flows.cli.app import main

__all__ = ["main"]

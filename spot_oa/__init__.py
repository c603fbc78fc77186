"""The base package of spot-oa: pipelines, ingest, landing, the warehouse, publishing.

Nothing in this package imports Prefect or dbt.
"""

from importlib.metadata import version

__version__ = version("spot-oa")

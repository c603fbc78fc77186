"""The ground floor of spot-oa: what a pipeline is, landing, the warehouse, publishing.

Nothing in here imports Prefect or dbt.
"""

from importlib.metadata import version

__version__ = version("spot-oa")

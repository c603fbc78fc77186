"""A stand-in for an Impala daemon: what the project expects of one, and no more.

`StandIn` listens on loopback and speaks HiveServer2 as Impala does, so that the real impyla client
and the real dbt-impala adapter work against it. SQL is read as Impala reads it, refused where
Impala refuses it (`language`), and carried out by an embedded DuckDB (`engine`).

It is not Impala: plans, memory, permissions, statistics and file formats are not its business.
"""

from tests.support.impala.server import StandIn

__all__ = ["StandIn"]

"""A Spark cluster on loopback, from PySpark's own jars: a master, workers, a thrift server."""

from tests.support.spark.cluster import HOST, Cluster

__all__ = ["HOST", "Cluster"]

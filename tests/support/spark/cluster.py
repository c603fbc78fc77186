"""A small standalone cluster in real processes, which end with the test's process."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from impala import dbapi

from tests.support.ports import free_port

HOST = "127.0.0.1"
_PR_SET_PDEATHSIG = 1
PLACE = {
    "spark.executor.memory": "1g",
    "spark.executor.cores": "1",
    "spark.ui.enabled": "false",
    "spark.driver.host": HOST,
    "spark.driver.bindAddress": HOST,
}
SMALL = {
    # For days of some hundred rows: less planning, compiling and copying.
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
}
# With a small code cache the server would compile its code repeatedly.
SMALL_JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -Xshare:auto"
_LOG = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}: %m%n%ex
"""


class Cluster:
    """A master, workers of one core and one gigabyte each, and a thrift server over them.

    Args:
        folder: Everything that it writes lies below: tables, metastore, logs.
        workers: How many.
        properties: Spark properties of the thrift server.
        hive: Properties of its HiveServer2, as `hive.server2.authentication`.
        small: Set up for days of some hundred rows, or as Spark is by itself.
        local: No master and no workers: the thrift server works in its own process.
        lasting: The metastore outlives the thrift server, which can be started again.
    """

    def __init__(
        self,
        folder: Path,
        workers: int = 2,
        properties: Mapping[str, str] | None = None,
        hive: Mapping[str, str] | None = None,
        *,
        small: bool = True,
        local: bool = False,
        lasting: bool = False,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.workers: list[subprocess.Popen[bytes]] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._count = 0 if local else workers
        self._properties = {**PLACE, **(SMALL if small else {}), **(properties or {})}
        self._java = SMALL_JAVA if small else "-XX:+UseSerialGC"
        self._hive = dict(hive or {})
        self._master_port = free_port()
        self._metastore = f"databaseName={folder / 'metastore'}" if lasting else "memory:metastore"

    @property
    def warehouse(self) -> Path:
        """Return the default folder of tables."""
        return self.folder / "warehouse"

    def __enter__(self) -> Cluster:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "log4j2.properties").write_text(_LOG, "utf-8")
        if self._count:
            self._run(
                "master",
                "spark-class",
                "org.apache.spark.deploy.master.Master",
                *("--host", HOST, "--port", str(self._master_port), "--webui-port", "0"),
            )
            self._await("master", lambda: _listens(self._master_port))
            for _ in range(self._count):
                self.add_worker()
        self.start_server()

    def start_server(self) -> None:
        """Start the Thrift server on its fixed port."""
        java = f"{self._java} -Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}"
        properties = {
            "spark.master": (f"spark://{HOST}:{self._master_port}" if self._count else "local[2]"),
            "spark.sql.warehouse.dir": str(self.warehouse),
            "spark.local.dir": str(self.folder / "scratch"),
            "spark.hadoop.javax.jdo.option.ConnectionURL": (
                f"jdbc:derby:{self._metastore};create=true"
            ),
            "spark.driver.extraJavaOptions": (f"{java} -Dderby.system.home={self.folder}"),
            "spark.executor.extraJavaOptions": java,
            **self._properties,
        }
        hive = {
            "hive.server2.thrift.port": str(self.port),
            "hive.server2.thrift.http.port": str(self.port),
            "hive.server2.thrift.bind.host": HOST,
            **self._hive,
        }
        self._server = self._run(
            "thriftserver",
            "spark-submit",
            "--class",
            "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2",
            *(part for name, value in properties.items() for part in ("--conf", f"{name}={value}")),
            "spark-internal",
            *(part for name, value in hive.items() for part in ("--hiveconf", f"{name}={value}")),
        )
        self._await("thriftserver", lambda: _listens(self.port))

    def kill_server(self) -> None:
        """Kill the thrift server."""
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()

    def add_worker(self) -> None:
        """Start one more worker."""
        name = f"worker-{len(self.workers)}"
        self.workers.append(
            self._run(
                name,
                "spark-class",
                "org.apache.spark.deploy.worker.Worker",
                *("--host", HOST, "--webui-port", "0", "--cores", "1", "--memory", "1g"),
                *("--work-dir", str(self.folder / name)),
                f"spark://{HOST}:{self._master_port}",
            )
        )

    def kill_worker(self) -> None:
        """Kill the first living worker with its executor."""
        worker = next(worker for worker in self.workers if worker.poll() is None)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def peaks(self) -> list[int]:
        """Return the peak resident memory of each executor since the last call, in bytes."""
        found = []
        for worker in self.workers:
            children = Path(f"/proc/{worker.pid}/task").glob("*/children")
            for child in " ".join(file.read_text() for file in children).split():
                peak = Path(f"/proc/{child}/status").read_text().partition("VmHWM:")[2]
                if peak:  # Not one that has ended.
                    found.append(int(peak.split()[0]) * 1024)
                    # Resets the peak: proc(5).
                    Path(f"/proc/{child}/clear_refs").write_text("5")
        return found

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, in UTC."""
        with self._cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def run(self, *statements: str) -> None:
        """Run statements."""
        with self._cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        options = {"set:hiveconf:spark.sql.session.timeZone": "UTC"}
        with (
            dbapi.connect(HOST, self.port, auth_mechanism="PLAIN") as connection,
            connection.cursor(configuration=options) as cursor,
        ):
            yield cursor

    def log(self, name: str = "thriftserver") -> str:
        """Return the output of a process."""
        return (self.folder / f"{name}.log").read_text("utf-8", "replace")

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _run(self, name: str, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        spec = find_spec("pyspark")
        assert spec is not None
        assert spec.origin is not None
        home = Path(spec.origin).parent
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_IP": HOST,
            # Otherwise the Thrift server would inherit it.
            "SPARK_DAEMON_MEMORY": "256m" if program == "spark-class" else "1g",
            "SPARK_DAEMON_JAVA_OPTS": SMALL_JAVA,
            "SPARK_NO_DAEMONIZE": "1",
            "PYSPARK_PYTHON": sys.executable,
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [home / "bin" / program, *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread of ours runs yet
            )
        self._processes.append(process)
        return process

    def _await(self, name: str, ready: Callable[[], bool], seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while not ready():
            if self._processes[-1].poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{name} did not start:\n{self.log(name)[-4000:]}")
            time.sleep(0.2)


def _die_with_parent() -> None:
    """Make the process end with pytest, even by -9; a worker's executors end with it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(1)
        return client.connect_ex((HOST, port)) == 0

"""Runs in separate processes that start quickly: forked from one with everything imported.

A run imports for seconds before it does anything. The forked process is as real as any other: it
has its own memory, files and locks, and dies of a signal like one that was started by hand.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(sys.executable).with_name("spot-oa")

_PARENT = """
import importlib, json, multiprocessing.util, os, pkgutil, sys
import dbt.adapters.duckdb, dbt.cli.main, tldextract
import flows.cli, flows.run.runner, python_enrichers
import flows.cli.report, spot_oa.warehouse.duckdb.warehouse
for module in pkgutil.walk_packages(python_enrichers.__path__, "python_enrichers."):
    importlib.import_module(module.name)
print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    order = json.loads(line)
    if "wait" in order:
        print(os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]), flush=True)
        continue
    pid = os.fork()
    if pid == 0:
        for fd, name in ((0, os.devnull), (1, order["out"]), (2, order["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644), fd)
        os.environ.update(order["environment"])
        os.chdir(order["cwd"])
        sys.argv = ["spot-oa", *order["arguments"]]
        try:
            flows.cli.main()
        finally:
            # As in a run that has imported dbt itself: before the end that main() has registered.
            multiprocessing.util._exit_function()
    print(pid, flush=True)
"""


@dataclass(frozen=True)
class Process:
    """A running process."""

    pid: int
    out: Path
    err: Path
    warm: Warm | None
    started: subprocess.Popen[bytes] | None = None

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def until(self, text: str, seconds: float = 120) -> bool:
        """Wait for a text in the output; False if the run ended without it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if text in self.out.read_text("utf-8"):
                return True
            if self._is_over():
                return text in self.out.read_text("utf-8")
            time.sleep(0.002)
        raise AssertionError(f"no {text!r} within {seconds} s: {self.out.read_text('utf-8')}")

    def wait(self) -> int:
        """Return the exit code; negative for a signal."""
        if self.started:
            return self.started.wait(240)
        assert self.warm is not None
        return int(self.warm.order(wait=self.pid))

    def _is_over(self) -> bool:
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return True
        return stat.rpartition(")")[2].split()[0] in "ZX"


class Warm:
    """Starts runs of `spot-oa`."""

    def __init__(self, parent: subprocess.Popen[str], folder: Path) -> None:
        self._parent = parent
        self._folder = folder

    def order(self, **order: object) -> str:
        assert self._parent.stdin is not None
        assert self._parent.stdout is not None
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()
        return self._parent.stdout.readline()

    def start(self, home: Path, *arguments: str, cold: bool = False, **environment: str) -> Process:
        """Start `spot-oa`; `cold` as a user does, by its script."""
        told = Path(tempfile.mkdtemp(dir=self._folder))
        out, err = told / "out", told / "err"
        settings = {"SPOT_OA_HOME": str(home), **environment}
        if cold:
            with out.open("wb") as to, err.open("wb") as errors:
                started = subprocess.Popen(
                    [SCRIPT, *arguments],
                    cwd=home,
                    env=os.environ | settings,
                    stdout=to,
                    stderr=errors,
                )
            return Process(started.pid, out, err, None, started)
        out.touch()
        pid = self.order(
            arguments=arguments,
            environment=settings,
            cwd=str(home),
            out=str(out),
            err=str(err),
        )
        return Process(int(pid), out, err, self)

    def run(self, home: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Run undisturbed; return exit code, output and errors."""
        process = self.start(home, *arguments, **environment)
        code = process.wait()
        return code, process.out.read_text("utf-8"), process.err.read_text("utf-8")


@contextmanager
def warm(folder: Path) -> Iterator[Warm]:
    """Start the parent of runs; their output goes to files in the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        try:
            assert parent.stdout.readline() == "ready\n"
            yield Warm(parent, folder)
        finally:
            parent.stdin.close()

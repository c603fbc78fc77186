"""A Prefect server, work pool, deployments and worker on this machine, for a first try.

`python -m flows.orchestration.local_server` starts them in that order and stops them, worker first,
on Ctrl-C.
Production runs them as services: docs/operations.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from spot_oa.errors import ConfigError, SpotOaError, printable
from spot_oa.settings import Settings, load_settings

POOL = "local"
AUTOMATION = "spot-oa crash without heartbeat"
HOST = "127.0.0.1"
START_SECONDS = 120
STOP_SECONDS = 20


def prefect_environment(settings: Settings, port: int) -> dict[str, str]:
    """Return the environment of server, worker and command line.

    Args:
        settings: The settings; Prefect's state is in `home`, separate from the user's own.
        port: The port of the server on the loopback interface.

    Returns:
        This process's environment with Prefect's settings added.
    """
    return {
        **os.environ,  # noqa: TID251 - handed on, not read
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_API_URL": f"http://{HOST}:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        # Stored in memory, slots would stay taken forever after a restart of the server.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
            "prefect.server.concurrency.lease_storage.filesystem"
        ),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
        "SPOT_OA_HOME": str(settings.home),
    }


@contextmanager
def server(environment: Mapping[str, str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a Prefect server for the duration of the block.

    Raises:
        ConfigError: The server did not start.
    """
    home = Path(environment["PREFECT_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    log = home / "server.log"
    command = ["server", "start", "--host", HOST, "--port", str(port)]
    with log.open("w") as output, _process(environment, *command, output=output) as process:
        _wait_until_healthy(f"http://{HOST}:{port}/api/health", process, log)
        yield process


@contextmanager
def worker(
    environment: Mapping[str, str], output: IO[str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker of the pool for the duration of the block; it prints its runs' logs."""
    with _process(environment, "worker", "start", "--pool", POOL, output=output) as process:
        yield process


def register(settings: Settings, environment: Mapping[str, str]) -> None:
    """Create or update the work pool, the deployments and the automation.

    Raises:
        ConfigError: Prefect rejected one of them.
    """
    project = settings.project_dir
    prefect(environment, "work-pool", "create", POOL, "--type", "process", "--overwrite")
    prefect(
        environment,
        "--no-prompt",
        "deploy",
        "--all",
        "--prefect-file",
        str(project / "prefect.yaml"),
        folder=project,
    )
    try:
        prefect(environment, "automation", "inspect", AUTOMATION)
    except ConfigError:
        file = str(Path(__file__).with_name("automations.yaml"))
        prefect(environment, "automation", "create", "--from-file", file)


def prefect(environment: Mapping[str, str], *command: str, folder: Path | None = None) -> str:
    """Run a Prefect command to its end.

    Returns:
        The output of the command.

    Raises:
        ConfigError: The command failed.
    """
    done = subprocess.run(  # noqa: S603 - an argument list of our own
        [_script(), *command],
        check=False,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        words = " ".join(done.stdout.split())
        raise ConfigError(f"prefect {' '.join(command[:3])} failed: {printable(words)[-500:]}")
    return done.stdout


@contextmanager
def _process(
    environment: Mapping[str, str], *command: str, output: IO[str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - an argument list of our own
        [_script(), *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output and subprocess.STDOUT,
        # In a separate process group: only this process gets Ctrl-C, and stops the others.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        # Not SIGINT: processes started with & in a script ignore it, and so do their children.
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - loopback
                if answer.status == 200:  # noqa: PLR2004
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise ConfigError(f"the Prefect server did not start at {url}; see {log}")


def _script() -> str:
    return str(Path(sys.executable).with_name("prefect"))


def main() -> int:
    """Start everything, print how to use it, and wait for Ctrl-C."""
    port = 4200
    try:
        settings = load_settings()
        environment = prefect_environment(settings, port)
        with server(environment, port):
            register(settings, environment)
            with worker(environment) as running:
                print(_how_to_use(environment), flush=True)  # noqa: T201
                running.wait()
    except KeyboardInterrupt:
        return 0
    except SpotOaError as error:
        print(f"spot-oa: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _how_to_use(environment: Mapping[str, str]) -> str:
    return f"""
The server and a worker are running; Ctrl-C stops both. In another terminal:

  . .venv/bin/activate
  export PREFECT_API_URL={environment["PREFECT_API_URL"]}
  prefect deployment run 'flow-oa/daily' -p date=2016-07-08

and look at {environment["PREFECT_API_URL"].removesuffix("/api")}
"""


if __name__ == "__main__":
    sys.exit(main())

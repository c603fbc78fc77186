"""The part of a Prefect server's REST API that the tests use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

T = TypeVar("T")
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class Api:
    """A client of the API at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        # A busy server on SQLite asks for a retry.
        again = Retry(total=6, backoff_factor=0.5, status_forcelist=[503], allowed_methods=None)
        self._session.mount("http://", HTTPAdapter(max_retries=again))

    def post(self, path: str, **body: Any) -> Any:
        answer = self._session.post(f"{self._url}/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self._session.get(f"{self._url}/{path}", timeout=30)
        answer.raise_for_status()
        return answer.json()

    def delete(self, path: str) -> None:
        self._session.delete(f"{self._url}/{path}", timeout=30).raise_for_status()

    def start(self, deployment: str, **parameters: Any) -> str:
        """Create a flow run; return its id."""
        found = self.get(f"deployments/name/{deployment}")
        made = self.post(f"deployments/{found['id']}/create_flow_run", parameters=parameters)
        return str(made["id"])

    def run(self, flow_run: str) -> dict[str, Any]:
        return dict(self.get(f"flow_runs/{flow_run}"))

    def final(self, flow_run: str, seconds: float = 120) -> dict[str, Any]:
        """Wait until the flow run has ended; return it."""
        return until(
            lambda: run if (run := self.run(flow_run))["state_type"] in FINAL else None, seconds
        )

    def task_runs(self, flow_run: str) -> list[dict[str, Any]]:
        only = {"id": {"any_": [flow_run]}}
        return list(self.post("task_runs/filter", flow_runs=only, sort="EXPECTED_START_TIME_ASC"))

    def logs(self, flow_run: str) -> list[str]:
        only = {"flow_run_id": {"any_": [flow_run]}}
        found = self.post("logs/filter", logs=only, sort="TIMESTAMP_ASC", limit=200)
        return [entry["message"] for entry in found]

    def artifacts(self, flow_run: str) -> dict[str, Any]:
        only = {"flow_run_id": {"any_": [flow_run]}}
        return {a["key"]: a["data"] for a in self.post("artifacts/filter", artifacts=only)}


def until(look: Callable[[], T | None], seconds: float, pause: float = 0.2) -> T:
    """Poll `look` until it returns a result."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(pause)

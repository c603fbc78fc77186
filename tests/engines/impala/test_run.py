"""`spot-oa` on Impala as an operator runs it: settings from the environment, one command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.run.dbt_runner import build
from spot_oa.demo import DEMO_DATES, generate
from spot_oa.errors import BuildError
from spot_oa.settings import load_settings
from tests.support.impala import StandIn
from tests.support.impala.telemetry import load_telemetry
from tests.support.impala.users import SECRET, USERS


def test_a_day_with_login_and_tls(certificate: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    generate(home, pipelines=("flow",), rows_per_day=500, suspicious=20)
    with StandIn(users=USERS, certificate=certificate) as stand_in:
        environment = {
            "SPOT_OA_HOME": str(home),
            "SPOT_OA_TARGET": "impala",
            "SPOT_OA_SCHEMA_PREFIX": "soc_",
            "SPOT_OA_TELEMETRY_SCHEMA": "spot",
            "SPOT_OA_TELEMETRY_TABLES__FLOW": "netflow",
            "SPOT_OA_IMPALA_HOST": "127.0.0.1",
            "SPOT_OA_IMPALA_PORT": str(stand_in.port),
            "SPOT_OA_IMPALA_AUTH": "ldap",
            "SPOT_OA_IMPALA_USER": "oa",
            "SPOT_OA_IMPALA_PASSWORD": SECRET,
            "SPOT_OA_IMPALA_TLS": "true",
            "SPOT_OA_IMPALA_CA": str(certificate),
        }
        settings = load_settings(
            home=home,
            target="impala",
            telemetry_schema="spot",
            telemetry_tables={"flow": "netflow"},
        )
        load_telemetry(stand_in.engine, settings, home / "raw")

        def spot_oa(*arguments: str, **other: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [Path(sys.executable).with_name("spot-oa"), *arguments],
                check=False,
                env=os.environ | environment | other,
                capture_output=True,
                text=True,
                timeout=280,
            )

        run = spot_oa("run", "flow", "--date", str(DEMO_DATES[0]))
        assert run.returncode == 0, run.stderr
        assert run.stderr == ""
        published = home / "data" / "flow" / "20160708"
        assert pq.read_metadata(published / "flow_scores.parquet").num_rows == 19
        assert pq.read_metadata(published / "flow_edge.parquet").num_rows > 0
        audit = stand_in.engine.execute("select status, target from soc_oa.run_audit")
        assert list(audit.rows) == [("done", "impala")]

        refused = spot_oa("run", "flow", "--date", "20160708", SPOT_OA_IMPALA_PASSWORD="x")
        assert refused.returncode == 1
        assert refused.stderr.splitlines()[-1].endswith(
            f"Impala at 127.0.0.1:{stand_in.port}: user 'oa' was rejected; correct "
            "SPOT_OA_IMPALA_USER, SPOT_OA_IMPALA_PASSWORD or SPOT_OA_IMPALA_AUTH"
        )
        looked = spot_oa("doctor")
        assert "warehouse on impala\n" in looked.stdout
        assert "telemetry of flow in spot.netflow" in looked.stdout
    # The daemon is gone: what fails now may pass, so Prefect will try again.
    with pytest.raises(
        BuildError, match=r"^dbt build failed: Impala at .* cannot be reached"
    ) as raised:
        build(
            settings.model_copy(update={"impala_port": stand_in.port}),
            "flow",
            [DEMO_DATES[0]],
            print,
        )
    assert raised.value.transient
    everything = [run.stdout, run.stderr, refused.stdout, refused.stderr, looked.stdout]
    kept = [
        f.read_text("utf-8", "replace") for f in home.rglob("*") if f.suffix in {".log", ".json"}
    ]
    assert SECRET not in "".join(everything + kept)

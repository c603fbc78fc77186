"""Logging in: each way against a server that really asks, and what is said where it fails."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import impala.dbapi
import pytest

from flows.cli.doctor import examine
from flows.run.dbt_runner import environment
from spot_oa.errors import ConfigError, SpotOaError, WarehouseError
from spot_oa.pipelines import load_pipelines
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import connections_of_dbt, open_warehouse
from tests.support.impala import StandIn
from tests.support.impala.telemetry import create_telemetry
from tests.support.impala.users import SECRET, USERS
from tests.support.project import PROJECT
from tests.support.warm import SCRIPT


def settings_for(stand_in: StandIn, home: Path, **given: Any) -> Settings:
    known = {"impala_host": "127.0.0.1", "impala_port": stand_in.port, "impala_timeout": 2}
    return load_settings(home=home, target="impala", **(known | given))


LDAP = {"impala_auth": "ldap", "impala_user": "oa", "impala_password": SECRET}


@pytest.fixture(
    params=["nosasl", "ldap", "plain", "ldap+tls", "nosasl+tls", "ldap+tls+http", "http"]
)
def way(
    request: pytest.FixtureRequest, certificate: Path, tmp_path: Path
) -> Iterator[tuple[StandIn, Settings]]:
    """A server that wants it so, and settings that say so."""
    words = request.param.split("+")
    given: dict[str, Any] = {"impala_http": "http" in words}
    if words[0] in ("ldap", "plain"):
        given |= LDAP | {"impala_auth": words[0]}
    if "tls" in words:
        given |= {"impala_tls": True, "impala_ca": certificate}
    with StandIn(
        users=USERS if "impala_auth" in given else None,
        certificate=certificate if "tls" in words else None,
        http="http" in words,
    ) as stand_in:
        yield stand_in, settings_for(stand_in, tmp_path, **given)


def test_every_way_to_log_in(
    way: tuple[StandIn, Settings], caplog: pytest.LogCaptureFixture
) -> None:
    stand_in, settings = way
    caplog.set_level(logging.DEBUG)
    create_telemetry(stand_in.engine, settings)
    open_warehouse(settings).newest_telemetry(load_pipelines()["flow"])
    assert SECRET not in caplog.text


def test_dbt_logs_in_as_we_do(
    certificate: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """With a certificate checked, which dbt-impala by itself does not do."""
    from dbt.cli.main import dbtRunner

    with StandIn(users=USERS, certificate=certificate) as stand_in:
        settings = settings_for(stand_in, tmp_path, impala_tls=True, impala_ca=certificate, **LDAP)
        folders = ["--project-dir", PROJECT, "--profiles-dir", PROJECT / "profiles"]
        logs = ["--log-path", settings.target_dir, "--log-level-file", "debug"]
        with environment(settings):
            command = ["debug", "--connection", "--target", "impala", *folders, *logs]
            outcome = dbtRunner().invoke([str(part) for part in command])
        assert outcome.success
        assert any("select 1 as id" in statement for statement in stand_in.statements)
    logged = "".join(file.read_text("utf-8") for file in settings.target_dir.rglob("*.log"))
    assert SECRET not in logged + "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (
            LDAP | {"impala_password": "wrong"},
            ConfigError,
            "user 'oa' was rejected; correct SPOT_OA",
        ),
        (LDAP | {"impala_user": "eve"}, ConfigError, "user 'eve' was rejected"),
        ({}, WarehouseError, "rejected the connection .* SPOT_OA_IMPALA_AUTH=nosasl"),
    ],
)
@pytest.mark.parametrize("http", [False, True])
def test_who_is_not_let_in_is_told_why(
    tmp_path: Path, given: dict[str, Any], error: type[SpotOaError], says: str, *, http: bool
) -> None:
    with StandIn(users=USERS, http=http) as stand_in:
        settings = settings_for(stand_in, tmp_path, impala_http=http, **given)
        if http and not given:
            error, says = ConfigError, "user '' was rejected"
        with pytest.raises(error, match=says) as raised:
            open_warehouse(settings).exists()
    assert_one_line(raised.value)


def test_a_certificate_that_nobody_vouches_for(certificate: Path, tmp_path: Path) -> None:
    for http in (False, True):
        with StandIn(certificate=certificate, http=http) as stand_in:
            settings = settings_for(stand_in, tmp_path, impala_tls=True, impala_http=http)
            with pytest.raises(ConfigError, match="certificate is not trusted") as raised:
                open_warehouse(settings).exists()
        assert "SPOT_OA_IMPALA_CA" in str(raised.value)
        assert_one_line(raised.value)


def test_a_certificate_of_another_host(certificate: Path, tmp_path: Path) -> None:
    with StandIn(certificate=certificate) as stand_in:
        settings = settings_for(
            stand_in, tmp_path, impala_tls=True, impala_ca=certificate, impala_host="localhost"
        )
        with pytest.raises(ConfigError, match=r"certificate is not trusted \(Hostname mismatch"):
            open_warehouse(settings).exists()


def test_tls_on_one_side_only(certificate: Path, tmp_path: Path) -> None:
    with StandIn(certificate=certificate) as stand_in:
        warehouse = open_warehouse(settings_for(stand_in, tmp_path))
        with pytest.raises(
            WarehouseError, match=r"rejected the connection .*SPOT_OA_IMPALA_TLS=false"
        ):
            warehouse.exists()
    with StandIn(http=True) as stand_in:
        warehouse = open_warehouse(settings_for(stand_in, tmp_path, impala_tls=True))
        with pytest.raises(ConfigError, match="the TLS handshake failed"):
            warehouse.exists()


def test_sessions_have_the_configured_options(tmp_path: Path) -> None:
    with StandIn() as stand_in:
        settings = settings_for(stand_in, tmp_path, impala_options={"sync_ddl": "true"})
        open_warehouse(settings).exists()
        with connections_of_dbt(settings):
            impala.dbapi.connect(host="elsewhere").cursor().close()
        assert stand_in.options
        assert all(
            options == {"TIMEZONE": "UTC", "SYNC_DDL": "true"} for options in stand_in.options
        )


def test_nobody_there(tmp_path: Path) -> None:
    with StandIn() as stand_in:
        settings = settings_for(stand_in, tmp_path)
    with pytest.raises(
        WarehouseError, match=r"Impala at 127.0.0.1:\d+ cannot be reached"
    ) as raised:
        open_warehouse(settings).exists()
    assert raised.value.transient
    assert_one_line(raised.value)
    found = {line.partition(":")[0]: state for state, line in examine(settings)}
    assert found["warehouse on impala"] == "unreachable"
    assert found["telemetry of flow in raw.flow"] == "unreachable"


def test_kerberos_without_its_package(tmp_path: Path) -> None:
    with StandIn() as stand_in:
        settings = settings_for(stand_in, tmp_path, impala_auth="gssapi")
        with pytest.raises(ConfigError, match="pip install kerberos"):
            open_warehouse(settings).exists()


def test_a_password_is_never_shown() -> None:
    with pytest.raises(ConfigError) as raised:
        load_settings(target="impala", impala_auth="ldap", impala_password=SECRET)
    assert "set SPOT_OA_IMPALA_USER" in str(raised.value)
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(load_settings(target="impala", **LDAP))


@pytest.mark.parametrize("http", [False, True])
@pytest.mark.parametrize("is_there", [True, False])
def test_the_password_of_spark_is_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, http: bool, is_there: bool
) -> None:
    """Its server speaks the stand-in's protocol, too: here it refuses the login, or is gone."""
    with pytest.raises(ConfigError) as raised:
        load_settings(target="spark", spark_auth="ldap", spark_password=SECRET)
    assert SECRET not in str(raised.value)
    caplog.set_level(logging.DEBUG)
    with ExitStack() as there:
        stand_in = there.enter_context(StandIn(users=USERS, http=http))
        known = {"spark_host": "127.0.0.1", "spark_port": stand_in.port, "spark_http": http}
        login = {"spark_auth": "ldap", "spark_user": "eve", "spark_password": SECRET}
        given = known | login | {"spark_timeout": 2, "target": "spark"}
        settings = load_settings(home=tmp_path, **given)
        assert SECRET not in repr(settings)
        if not is_there:
            there.close()
        with pytest.raises(SpotOaError) as raised:
            open_warehouse(settings).exists()
        assert_one_line(raised.value)
        told = []
        for command in ("doctor", "run flow --date 2016-07-08"):
            environment = {f"SPOT_OA_{name.upper()}": str(value) for name, value in given.items()}
            done = subprocess.run(
                [SCRIPT, *command.split(), "--debug"],
                check=False,
                cwd=tmp_path,
                env=os.environ | environment | {"SPOT_OA_HOME": str(tmp_path)},
                capture_output=True,
                text=True,
            )
            assert done.returncode == 1
            told += [done.stdout, done.stderr]
    kept = [file.read_text("utf-8", "replace") for file in tmp_path.rglob("*") if file.is_file()]
    assert SECRET not in "".join([*told, *kept, caplog.text])


def assert_one_line(error: SpotOaError) -> None:
    assert "\n" not in str(error)
    assert SECRET not in str(error)

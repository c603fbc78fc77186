"""Logging in to a thrift server: LDAP over TLS, on its own port and over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from pydantic import SecretStr

from spot_oa.errors import ConfigError, SpotOaError
from spot_oa.settings import Settings, load_settings
from spot_oa.warehouse import open_warehouse
from tests.support.dbt import statuses
from tests.support.spark import HOST, Cluster
from tests.support.spark.ldap import ldap

PASSWORD = "s3;cr'et\\"
BASE = "ou=people,dc=example,dc=org"


@pytest.fixture(scope="module", params=["binary", "http"])
def secured(
    request: pytest.FixtureRequest, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings that are let in."""
    pytest.importorskip("pyspark", reason="make setup-spark")
    folder = tmp_path_factory.mktemp(f"secured-{request.param}")
    made = certificate.read_bytes()
    key = serialization.load_pem_private_key(made, None)
    store = folder / "server.p12"
    store.write_bytes(
        pkcs12.serialize_key_and_certificates(
            b"server",
            key,  # type: ignore[arg-type]
            x509.load_pem_x509_certificate(made),
            None,
            serialization.BestAvailableEncryption(b"changeit"),
        )
    )
    http = request.param == "http"
    with ldap({f"uid=oa,{BASE}": PASSWORD}) as url:
        hive = {
            "hive.server2.authentication": "LDAP",
            "hive.server2.authentication.ldap.url": url,
            "hive.server2.authentication.ldap.baseDN": BASE,
            "hive.server2.use.SSL": "true",
            "hive.server2.keystore.path": str(store),
            "hive.server2.keystore.password": "changeit",
            "hive.server2.transport.mode": request.param,
        }
        with Cluster(folder, hive=hive, local=True) as server:
            yield load_settings(
                home=folder / "home",
                target="spark",
                spark_host=HOST,
                spark_port=server.port,
                spark_auth="ldap",
                spark_user="oa",
                spark_password=PASSWORD,
                spark_tls=True,
                spark_ca=certificate,
                spark_http=http,
            )


def test_both_ways_log_in(secured: Settings) -> None:
    """Ours, and dbt's."""
    assert not open_warehouse(secured).exists()
    made = statuses(secured, "seed")
    assert made
    assert set(made.values()) == {"success"}


def test_a_wrong_password_is_refused(secured: Settings) -> None:
    wrong = secured.model_copy(update={"spark_password": SecretStr("x")})
    with pytest.raises(ConfigError, match="user 'oa' was rejected; correct SPOT_OA_SPARK_USER"):
        open_warehouse(wrong).exists()


def test_an_unknown_certificate_is_not_trusted(secured: Settings) -> None:
    unknown = secured.model_copy(update={"spark_ca": None})
    with pytest.raises(SpotOaError, match="SPOT_OA_SPARK_CA") as raised:
        open_warehouse(unknown).exists()
    assert isinstance(raised.value, ConfigError)

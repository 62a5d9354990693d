"""Apache Kafka behind TLS and a login, with an authority and passwords that are made anew for each session."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from pydantic import SecretStr

from still.embedded.apache.broker import PROPERTIES
from still.embedded.apache.jars import fetched_jars, java
from still.embedded.ports import LOOPBACK, choose_port
from still.errors import UserError
from still.kafka import reach
from still.security import Protocol
from still.settings import Settings

USER = "still"
MECHANISM = "SCRAM-SHA-512"
_READY_S = 100.0
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"

_SECURE = """\
listeners=SASL_SSL://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=SASL_SSL://{host}:{port}
inter.broker.listener.name=SASL_SSL
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={login} required username="{user}" password="{password}";
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
"""
"""What differs from the embedded node; of a name that is there twice Kafka takes the later value."""


@dataclass(frozen=True)
class SecureKafka:
    """Where it is and what opens it."""

    bootstrap_servers: str
    password: str
    ca: Path

    def environment(self, security: Protocol = "SASL_SSL") -> dict[str, str]:
        """The settings that reach it, as a user gives them."""
        return {
            "STILL_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "STILL_KAFKA_SECURITY": security,
            "STILL_KAFKA_SASL": MECHANISM,
            "STILL_KAFKA_USER": USER,
            "STILL_KAFKA_PASSWORD": self.password,
            "STILL_KAFKA_CA": str(self.ca),
        }


@pytest.fixture(scope="session", name="secure_kafka")
def _secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A running broker that takes only SCRAM over TLS. Use with the marker `apache`."""
    folder = tmp_path_factory.mktemp("secure")
    port, password = choose_port(0), secrets.token_urlsafe(12)
    _certificates(folder)
    argv = _formatted(folder, port, password)
    with (folder / "kafka.log").open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output)
    try:
        found = SecureKafka(f"{LOOPBACK}:{port}", password, folder / "ca.pem")
        _await(found, process, folder / "kafka.log")
        yield found
    finally:
        process.kill()
        process.wait()


def _certificates(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert(LOOPBACK)
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    # Kafka reads PKCS 8 only.
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    (folder / "server.pem").write_bytes(key.private_bytes(*form) + chain)


def _formatted(folder: Path, port: int, password: str) -> list[str]:
    """The command line that runs the broker, its folder formatted with the one user."""
    properties = folder / "server.properties"
    node = {"host": LOOPBACK, "port": port, "controller": choose_port(0), "data": folder / "data"}
    login = {"folder": folder, "login": _LOGIN, "user": USER, "password": password}
    properties.write_text((PROPERTIES + _SECURE).format(**node, **login), encoding="ascii")
    run = [java(), "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{fetched_jars()}/*"]
    user = f"{MECHANISM}=[name={USER},password={password}]"
    tool = ["kafka.tools.StorageTool", "format", "-t", "c3RpbGwtc2VjdXJlLWthZg", "-c", str(properties)]
    subprocess.run([*run, *tool, "--add-scram", user], check=True, capture_output=True, timeout=_READY_S)
    return [*run, "kafka.Kafka", str(properties)]


def _await(broker: SecureKafka, process: subprocess.Popen[bytes], log: Path) -> None:
    settings = Settings(
        bootstrap_servers=broker.bootstrap_servers,
        kafka_security="SASL_SSL",
        kafka_user=USER,
        kafka_password=SecretStr(broker.password),
        kafka_ca=broker.ca,
    )
    deadline = time.monotonic() + _READY_S
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            reach(settings, timeout_s=2.0)
        except UserError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
        else:
            return

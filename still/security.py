"""How Kafka, ClickHouse and the Schema Registry are reached safely: the settings, and the same in librdkafka's words.

Secrets come from the environment and stay out of every print, log, argument list and file of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from still.errors import UserError

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

_NO_SECRET = SecretStr("")


class Security(BaseSettings):
    """Encryption and logins; certificates and keys are PEM files."""

    kafka_security: Protocol = Field(default="PLAINTEXT", description="Kafka's security.protocol")
    kafka_sasl: Mechanism = Field(default="SCRAM-SHA-512", description="SASL mechanism, with SASL_* only")
    kafka_user: str = Field(default="", description="SASL user")
    kafka_password: SecretStr = Field(default=_NO_SECRET)
    kafka_ca: Path | None = Field(default=None, description="CA of the brokers; unset = the system's")
    kafka_certificate: Path | None = Field(default=None, description="Our certificate, where brokers want one")
    kafka_key: Path | None = Field(default=None, description="Its key")
    kafka_key_password: SecretStr = Field(default=_NO_SECRET)
    clickhouse_user: str = Field(default="default")
    clickhouse_password: SecretStr = Field(default=_NO_SECRET)
    clickhouse_ca: Path | None = Field(default=None, description="CA of an https ClickHouse; unset = the system's")
    schema_registry: str = Field(default="", description="URL of a Schema Registry; empty = the ids of topics.yaml")
    schema_registry_user: str = Field(default="")
    schema_registry_password: SecretStr = Field(default=_NO_SECRET)
    schema_registry_ca: Path | None = Field(default=None, description="CA of an https registry; unset = the system's")


def check(security: Security, urls: dict[str, str]) -> None:
    """See that the settings fit each other; `urls` are addresses by variable name, which must hold no login.

    Raises:
        UserError: names the variable, never a secret.
    """
    for fault in (*_kafka_faults(security), *_file_faults(security), *_url_faults(urls)):
        raise UserError(fault)


def kafka_options(security: Security) -> dict[str, str]:
    """What every Kafka client of ours adds to its settings; empty without encryption and login."""
    if security.kafka_security == "PLAINTEXT":
        return {}
    named: dict[str, object] = {"security.protocol": security.kafka_security}
    if security.kafka_security.endswith("SSL"):
        named["ssl.ca.location"] = security.kafka_ca
        named["ssl.certificate.location"] = security.kafka_certificate
        named["ssl.key.location"] = security.kafka_key
        named["ssl.key.password"] = security.kafka_key_password.get_secret_value()
    if security.kafka_security.startswith("SASL"):
        named["sasl.mechanism"] = security.kafka_sasl
        named["sasl.username"] = security.kafka_user
        named["sasl.password"] = security.kafka_password.get_secret_value()
    return {name: str(value) for name, value in named.items() if value not in (None, "")}


def _kafka_faults(security: Security) -> Iterator[str]:
    is_login = security.kafka_security.startswith("SASL")
    if is_login and not (security.kafka_user and security.kafka_password.get_secret_value()):
        yield f"STILL_KAFKA_SECURITY={security.kafka_security} needs STILL_KAFKA_USER and STILL_KAFKA_PASSWORD"
    if not is_login and security.kafka_user:
        yield (
            f"STILL_KAFKA_USER is set, but STILL_KAFKA_SECURITY={security.kafka_security} logs nobody in;"
            " set it to SASL_SSL, or unset the user"
        )
    if bool(security.kafka_certificate) != bool(security.kafka_key):
        yield "STILL_KAFKA_CERTIFICATE and STILL_KAFKA_KEY belong together; set both or neither"


def _file_faults(security: Security) -> Iterator[str]:
    for name in ("kafka_ca", "kafka_certificate", "kafka_key", "clickhouse_ca", "schema_registry_ca"):
        file: Path | None = getattr(security, name)
        if file is not None and not file.is_file():
            yield f"STILL_{name.upper()}={file} is no file; give the path of a PEM file"


def _url_faults(urls: dict[str, str]) -> Iterator[str]:
    for name, url in urls.items():
        if "@" in urlsplit(url).netloc:
            login = name.removesuffix("_URL")
            yield f"{name} carries a login, which logs would show; use {login}_USER and {login}_PASSWORD"

"""Kafka as the settings name it: what our clients are given, and one look at the broker that explains a refusal."""

from __future__ import annotations

import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from still.errors import UserError
from still.security import kafka_options
from still.settings import Settings, unaddressed
from streams.produce import ProduceSettings

CHECK_S = 5.0
WAIT_S = 30.0
"""How long a process that is to stay may wait for a broker that starts beside it."""
_PROBE_S = 1.5
"""Less than a health probe waits, so that its answer tells where nobody answers, and what to mend."""
_POLL_S = 0.05


def servers(settings: Settings) -> str:
    """Where Kafka is.

    Raises:
        UserError: nobody said, and the folder's own stack is down.
    """
    if not settings.bootstrap_servers:
        raise UserError(unaddressed(settings))
    return settings.bootstrap_servers


def admin(settings: Settings, heard: list[KafkaError] | None = None) -> AdminClient:
    """An admin client; what its connections run into is added to `heard`."""
    options: dict[str, Any] = {"bootstrap.servers": servers(settings), **kafka_options(settings)}
    if heard is not None:
        options["error_cb"] = heard.append
    return AdminClient({**options, "log_level": 0, "log.connection.close": False})


def produce_settings(settings: Settings) -> ProduceSettings:
    """How commands that publish do it."""
    return ProduceSettings(servers(settings), options=kafka_options(settings))


def reach(settings: Settings, timeout_s: float = CHECK_S) -> str:
    """The cluster id of the broker that answers.

    Raises:
        UserError: none does, or it refuses us; says which setting to mend.
    """
    heard: list[KafkaError] = []
    client = admin(settings, heard)
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return str(client.list_topics(timeout=max(_POLL_S, min(1.0, deadline - time.monotonic()))).cluster_id)
        except KafkaException as error:
            client.poll(_POLL_S)
            if (refusal := _refusal(settings, heard)) or time.monotonic() > deadline:
                raise UserError(refusal or _silence(settings, heard[-1] if heard else error.args[0])) from None


def broker_trouble(settings: Settings) -> str | None:
    """Why Kafka cannot be reached; None = it can."""
    try:
        reach(settings, _PROBE_S)
    except UserError as error:
        return str(error)
    return None


def _refusal(settings: Settings, heard: list[KafkaError]) -> str | None:
    """What the broker, or our look at its certificate, said no to; librdkafka would try for ever."""
    for error in heard:
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - librdkafka's public code
            return (
                f"the broker at {settings.bootstrap_servers} refuses the login of {settings.kafka_user!r} by"
                f" {settings.kafka_sasl}; mend STILL_KAFKA_USER, STILL_KAFKA_PASSWORD or STILL_KAFKA_SASL"
            )
        if error.code() == KafkaError._SSL:  # noqa: SLF001
            return (
                f"no safe connection to the broker at {settings.bootstrap_servers}: {_plain(error)};"
                " mend STILL_KAFKA_CA, or STILL_KAFKA_CERTIFICATE and STILL_KAFKA_KEY"
            )
    return None


def _silence(settings: Settings, error: KafkaError) -> str:
    hint = "" if settings.kafka_security == "PLAINTEXT" else f" by {settings.kafka_security}"
    return (
        f"no broker answers at {settings.bootstrap_servers}{hint}: {_plain(error)};"
        " start it (`still up` runs one here), or mend STILL_BOOTSTRAP_SERVERS and STILL_KAFKA_SECURITY"
    )


def _plain(error: KafkaError) -> str:
    """The client's sentence without the connection's name before it and the timing behind it."""
    return error.str().partition(": ")[2].partition(" (after ")[0].strip() or error.str()

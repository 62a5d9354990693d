"""Kafka over TLS with a login, through every client of ours; refusals are one line, secrets nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from schemas.records import ConversationEvent
from serving.model_events import KafkaEvents
from sinks.clickhouse.client import connect
from still import wiring
from still.capture import open_publisher
from still.embedded.stack import Stack
from still.lag import lags
from still.readiness import is_ready
from still.security import kafka_options
from still.settings import Settings, load
from tests.secure_kafka import SecureKafka
from tests.streams.log import eventually

CONTACTS = 20
WRONG = "not-the-password-7391"

pytestmark = [pytest.mark.apache, pytest.mark.timeout(240)]


@pytest.fixture(name="environment")
def _environment(
    secure_kafka: SecureKafka, stack: Stack, database: str, topic_prefix: str, tmp_path: Path
) -> dict[str, str]:
    """What a user sets: the secure broker, the embedded ClickHouse."""
    return {
        **secure_kafka.environment(),
        "STILL_CLICKHOUSE_URL": stack.clickhouse_url,
        "STILL_DATABASE": database,
        "STILL_TOPIC_PREFIX": topic_prefix,
        "STILL_FOLDER": str(tmp_path),
        "STILL_PARTITIONS": "2",
        "STILL_INACTIVITY_SECONDS": "2",
    }


@pytest.fixture(name="settings")
def _settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The same in this process."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load()


def _still(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "still", *arguments]
    return subprocess.run(
        argv, env={**os.environ, **environment}, capture_output=True, text=True, timeout=100, check=False
    )


@contextmanager
def _running(environment: Mapping[str, str], name: str, folder: Path) -> Iterator[Path]:
    """One of our processes, ready; yields its log."""
    path = folder / f"{name}.log"
    with path.open("wb") as log:
        argv = [sys.executable, "-m", "still", name]
        process = subprocess.Popen(argv, env={**os.environ, **environment}, stdout=log, stderr=log)
    try:
        eventually(lambda: is_ready(folder, name) or process.poll() is not None, 60, f"a ready {name}")
        assert process.poll() is None, path.read_text()[-3000:]
        arguments = Path(f"/proc/{process.pid}/cmdline").read_text(encoding="utf-8")
        assert environment["STILL_KAFKA_PASSWORD"] not in arguments
        yield path
    finally:
        process.terminate()
        process.wait(30)


def test_events_pass_every_client(environment: dict[str, str], settings: Settings, tmp_path: Path) -> None:
    """Init, publisher, worker, sink, lag and model events work over SCRAM and TLS; no log shows the password."""
    made = _still(environment, "init")
    assert made.returncode == 0, made.stderr
    with open_publisher(settings) as publisher:
        for number in range(CONTACTS):
            said = [{"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "On its way."}]
            publisher.publish(ConversationEvent(f"e{number}", f"c{number}", "conversation", messages=said))
    client = connect(settings.clickhouse_url, settings.database)

    def landed() -> int:
        return int(client.columns(f"SELECT uniqExact(conversation_id) FROM {client.database}.scores").first[0])

    environment = {**environment, "STILL_LOG_LEVEL": "debug"}
    with _running(environment, "sink", tmp_path) as sink, _running(environment, "worker", tmp_path) as worker:
        eventually(lambda: landed() == CONTACTS, 90, "every score in ClickHouse")
    for log in (made.stdout, made.stderr, sink.read_text(), worker.read_text()):
        assert environment["STILL_KAFKA_PASSWORD"] not in log
    group = f"{settings.topic_prefix}still.worker"
    topic = f"{settings.topic_prefix}conversation.events"
    (lag,) = lags(settings.bootstrap_servers, {group: [topic]}, kafka_options(settings))
    assert (lag.end, lag.behind) == (CONTACTS, 0)
    assert wiring.announcer(settings).announced() == set()
    models = f"{settings.topic_prefix}model.events"
    with KafkaEvents(settings.bootstrap_servers, models, kafka=kafka_options(settings)) as events:
        assert list(events.replay()) == []


def test_wrong_password_is_one_line(environment: dict[str, str]) -> None:
    """A refused login ends every command with one line that names the settings, and no secret."""
    environment["STILL_KAFKA_PASSWORD"] = WRONG
    for command in ("init", "worker", "sink"):
        failed = _still(environment, command)
        assert failed.returncode == 2
        (line,) = failed.stderr.strip().splitlines()
        assert "refuses the login of 'still' by SCRAM-SHA-512" in line
        assert "STILL_KAFKA_PASSWORD" in line
        assert WRONG not in failed.stdout + failed.stderr


def test_foreign_authority_is_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    """A broker whose certificate comes from nobody that we trust is never given the password."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    failed = _still({**environment, "STILL_KAFKA_CA": str(tmp_path / "other.pem")}, "init")
    assert failed.returncode == 2
    (line,) = failed.stderr.strip().splitlines()
    assert "no safe connection to the broker" in line
    assert "STILL_KAFKA_CA" in line


def test_plain_text_to_a_safe_port_is_explained(secure_kafka: SecureKafka, tmp_path: Path) -> None:
    """Without the security setting the line still names it."""
    failed = _still({"STILL_FOLDER": str(tmp_path), "STILL_BOOTSTRAP_SERVERS": secure_kafka.bootstrap_servers}, "init")
    assert failed.returncode == 2
    (line,) = failed.stderr.strip().splitlines()
    assert "mend STILL_BOOTSTRAP_SERVERS and STILL_KAFKA_SECURITY" in line

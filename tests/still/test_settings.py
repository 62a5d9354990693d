"""Settings come from the environment, are refused early, and keep their secrets."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from sinks.clickhouse.client import Login
from sinks.settings import SinkSettings
from still import wiring
from still.errors import UserError
from still.security import kafka_options
from still.settings import Settings, load
from streams.produce import ProduceSettings
from streams.settings import RedactSettings
from streams.worker_settings import WorkerSettings


def test_environment_sets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each field is `STILL_<NAME>`."""
    monkeypatch.setenv("STILL_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("STILL_PARTITIONS", "16")
    settings = load(folder=tmp_path)
    assert (settings.bootstrap_servers, settings.partitions) == ("kafka:9092", 16)


@pytest.mark.parametrize(("name", "value"), [("PARTITIONS", "0"), ("THREADS", "-1"), ("DATABASE", "a b")])
def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str) -> None:
    """A wrong value is refused with the variable's name and the value."""
    monkeypatch.setenv(f"STILL_{name}", value)
    with pytest.raises(UserError, match=f"STILL_{name}='{value}'"):
        load(folder=tmp_path)


def test_customer_key_is_made_once(tmp_path: Path) -> None:
    """The embedded key is made at first use, stays, is private, and never shows."""
    settings = load(folder=tmp_path)
    assert settings.key() == load(folder=tmp_path).key()
    assert len(settings.key()) >= 32
    assert (tmp_path / "customer.key").stat().st_mode & 0o077 == 0


def test_processes_that_start_together_use_one_key(tmp_path: Path) -> None:
    """Whoever makes the file, all read the same whole key, and nothing else stays in the folder."""
    settings = load(folder=tmp_path / "new")
    with ThreadPoolExecutor(16) as pool:
        keys = set(pool.map(lambda _: settings.key(), range(64)))
    assert [len(key) for key in keys] == [64]
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["customer.key"]


def test_an_empty_key_is_refused(tmp_path: Path) -> None:
    """A hash without a key can be guessed: what a full disk once left of the file starts no process."""
    (tmp_path / "customer.key").touch()
    with pytest.raises(UserError, match=r"customer\.key is empty; put back"):
        load(folder=tmp_path).key()


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither repr nor str shows a password or a key."""
    monkeypatch.setenv("STILL_CLICKHOUSE_PASSWORD", "hunter2")
    monkeypatch.setenv("STILL_CUSTOMER_KEY", "0123456789abcdef0123")
    settings = load(folder=tmp_path)
    assert "hunter2" not in f"{settings!r} {settings}"
    assert "0123456789abcdef" not in f"{settings!r} {settings}"
    assert settings.key() == b"0123456789abcdef0123"


SECRETS = [name for name, field in Settings.model_fields.items() if field.annotation is SecretStr]


def test_every_secret_is_masked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each field that is named like a secret is one, and no print of settings or of what they fill shows it."""
    named = [name for name in Settings.model_fields if re.search("password|secret|customer_key", name)]
    assert sorted(named) == sorted(SECRETS)
    for name in SECRETS:
        monkeypatch.setenv(f"STILL_{name.upper()}", f"hidden-{name}-hidden")
    monkeypatch.setenv("STILL_KAFKA_SECURITY", "SASL_SSL")
    monkeypatch.setenv("STILL_KAFKA_USER", "me")
    settings = load(folder=tmp_path)
    options = kafka_options(settings)
    filled = (
        ProduceSettings("k:1", options=options),
        SinkSettings("k:1", kafka=options),
        WorkerSettings("k:1", RedactSettings(settings.key()), kafka_options=options),
        wiring.announcer(settings),
        Login("me", settings.clickhouse_password.get_secret_value()),
    )
    assert options["sasl.password"] == "hidden-kafka_password-hidden"
    assert "hidden-" not in f"{settings!r} {settings} {settings.model_dump_json()} {filled!r}"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"KAFKA_SECURITY": "SASL_SSL", "KAFKA_USER": "me"}, "needs STILL_KAFKA_USER and STILL_KAFKA_PASSWORD"),
        ({"KAFKA_USER": "me", "KAFKA_PASSWORD": "hidden"}, "STILL_KAFKA_SECURITY=PLAINTEXT logs nobody in"),
        ({"KAFKA_CERTIFICATE": __file__}, "belong together"),
        ({"KAFKA_CA": "/nowhere.pem"}, "STILL_KAFKA_CA=/nowhere.pem is no file"),
        ({"CLICKHOUSE_URL": "https://me:hidden@ch:8443"}, "use STILL_CLICKHOUSE_USER and STILL_CLICKHOUSE_PASSWORD"),
        ({"SCHEMA_REGISTRY": "https://me:hidden@r"}, "use STILL_SCHEMA_REGISTRY_USER"),
        ({"KAFKA_SECURITY": "TLS", "KAFKA_PASSWORD": "hidden"}, "STILL_KAFKA_SECURITY='TLS'"),
    ],
)
def test_settings_that_do_not_fit_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: dict[str, str], why: str
) -> None:
    """What is missing or too much for a safe connection is said, without any secret."""
    for name, value in given.items():
        monkeypatch.setenv(f"STILL_{name}", value)
    with pytest.raises(UserError, match=re.escape(why)) as refused:
        load(folder=tmp_path)
    assert "hidden" not in str(refused.value)


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A file where the folder should be is a clear mistake, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"STILL_FOLDER=.*cannot be used"):
        load(folder=tmp_path / "file").key()

"""No Docker engine runs here, so the compose file is checked by its content: everything it names exists."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.schema_registry import RULE
from still.__main__ import COMMANDS
from still.embedded.ports import LOOPBACK
from still.health import Health, Pulse, served
from still.settings import Settings

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def test_every_process_is_there() -> None:
    """Kafka, ClickHouse, the Schema Registry and each long-running process of ours have a service."""
    assert {"kafka", "clickhouse", "karapace", "init", "worker", "sink", "trainer"} == SERVICES.keys()


@pytest.mark.parametrize("name", OURS)
def test_command_exists(name: str) -> None:
    """Each service of ours runs a command that `still` knows."""
    assert OURS[name]["command"][0] in COMMANDS


@pytest.mark.parametrize("name", [name for name in OURS if not OURS[name]["healthcheck"].get("disable")])
def test_health_check_asks_the_process(name: str) -> None:
    """The check, as it stands, succeeds on a process that is ready at the service's port, and on no other."""
    environment = OURS[name]["environment"]
    port = int(environment["STILL_HEALTH_PORT"])
    test = OURS[name]["healthcheck"]["test"]
    assert test[:3] == ["CMD", "python", "-c"]
    troubles: list[str | None] = [None, "no broker answers"]
    for expected, trouble in enumerate(troubles):
        health = Health(name, Pulse(60), {"broker": partial(str.strip, trouble) if trouble else lambda: None})
        with served(health, LOOPBACK, 0) as url:
            code = test[3].replace(f"http://127.0.0.1:{port}", str(url))
            assert str(url) in code
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
        assert done.returncode == expected


@pytest.mark.parametrize("name", OURS)
def test_variables_are_settings(name: str) -> None:
    """Each STILL_ variable is a field of the settings, or the log level: a misspelt one would be ignored."""
    fields = {f"STILL_{field.upper()}" for field in Settings.model_fields} | {"STILL_LOG_LEVEL"}
    assert OURS[name]["environment"].keys() <= fields


def test_schema_registry_is_the_one_that_runs() -> None:
    """Our processes ask it at its port; it keeps to our rule, starts before `init` and holds no data of its own."""
    karapace = SERVICES["karapace"]["environment"]
    address = f"http://karapace:{karapace['KARAPACE_PORT']}"
    assert {service["environment"]["STILL_SCHEMA_REGISTRY"] for service in OURS.values()} == {address}
    assert karapace["KARAPACE_COMPATIBILITY"] == RULE
    assert karapace["KARAPACE_BOOTSTRAP_URI"] == OURS["init"]["environment"]["STILL_BOOTSTRAP_SERVERS"]
    assert "karapace" in OURS["init"]["depends_on"]
    assert "volumes" not in SERVICES["karapace"]


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_watched(name: str) -> None:
    """Every long-running service has a health check and starts again; one-shot ones say so."""
    service = SERVICES[name]
    assert service["restart"] in ("unless-stopped", "no")
    assert "healthcheck" in service


def test_volumes_and_mounts_exist() -> None:
    """Each named volume is declared, each mounted file is in the repository."""
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_our_volumes_belong_to_our_user() -> None:
    """Each folder that a volume of ours covers is made for the image's user, who could not write it otherwise."""
    made = re.search(r"install -d -o still (.+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert made is not None
    mounted = {mount.split(":")[1] for service in OURS.values() for mount in service.get("volumes", [])}
    assert mounted <= set(made[1].split())


@pytest.mark.parametrize("name", ["worker", "sink"])
def test_a_stop_at_the_ceiling_outlives_the_container(name: str) -> None:
    """The folder that remembers it is a volume: `restart` starts the process again, whatever its status was."""
    folder = re.search(r"STILL_FOLDER=(\S+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    assert folder is not None
    assert [f"{name}:{folder[1]}"] == OURS[name]["volumes"]
    assert "STILL_FOLDER" not in OURS[name]["environment"]


def test_no_secret_is_written_down() -> None:
    """Passwords and keys come from the environment and are required there."""
    for line in TEXT.splitlines():
        if re.search(r"(PASSWORD|KEY):", line):
            assert re.search(r"\$\{\w+:\?", line), line


def test_image_copies_every_package() -> None:
    """The image holds every package that pyproject.toml installs."""
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    packages = re.search(
        r"packages = \[(.*?)\]\n\n\[tool\.pytest", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.DOTALL
    )
    assert packages is not None
    for package in re.findall(r'"(\w+)"', packages.group(1)):
        assert f"COPY {package} {package}\n" in docker


def test_log_tables_are_bounded() -> None:
    """Each ClickHouse log table that stays has a TTL."""
    logs = (ROOT / "deploy/clickhouse/logs.xml").read_text(encoding="utf-8")
    kept = re.findall(r"<(\w+_log)>(.*?)</\1>", logs, re.DOTALL)
    assert kept
    assert all("<ttl>" in body for _, body in kept)

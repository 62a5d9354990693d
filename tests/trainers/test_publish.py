"""Publication: whole or not at all, whatever is killed when; doing it twice changes nothing."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.artifacts import verify
from sinks.registry import Registry, open_registry
from tests.adapters import FileAnnouncer, event
from tests.trainers.killed import UNTIL_KILLED
from trainers.publish import ADAPTER, INTENT, KINDS, Publisher, artifact_of

ROOT = Path(__file__).parents[2]
BEFORE_INTENT = ("saved", "sealed")
AFTER_INTENT = (
    "intended", "uploaded", "recorded_trained", "recorded_promoted", "announced_trained", "announced_promoted",
)  # fmt: skip


@pytest.fixture(name="registry")
def _registry(tmp_path: Path) -> Registry:
    return open_registry(f"file://{tmp_path}/registry")


@pytest.fixture(name="publisher")
def _publisher(registry: Registry, tmp_path: Path) -> Publisher:
    return Publisher(registry, FileAnnouncer(tmp_path / "announced"), tmp_path / "work")


def _publish(publisher: Publisher, weights: bytes = b"weights") -> str:
    with publisher.staging("run-1") as stage:
        (stage / ADAPTER / "adapter_model.safetensors").write_bytes(weights)
        return publisher.publish(stage, event("intent-00001-x"), "pass").adapter


def _killed_at(point: str, folder: Path) -> None:
    command = [sys.executable, "-m", "tests.trainers.killed", str(folder), point]
    done = subprocess.run(command, cwd=ROOT, timeout=100, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_a_published_version_is_whole_and_announced(registry: Registry, publisher: Publisher, tmp_path: Path) -> None:
    """The folder is in the registry under its digest, the three events are recorded and announced, staging is gone."""
    name = _publish(publisher)
    recorded = registry.events()
    assert registry.names("intent") == [name]
    assert [one.kind for one in recorded] == list(KINDS["pass"])
    assert FileAnnouncer(tmp_path / "announced").ids() == [one.event_id for one in recorded]
    assert list((tmp_path / "work").iterdir()) == []
    copy = registry.fetch(artifact_of(recorded[-1]), tmp_path / "cache")
    assert verify(copy).sha256.startswith(name.rpartition("-")[2])


@pytest.mark.parametrize(
    ("verdict", "last"), [("pass", "promoted"), ("inconclusive", "evaluated"), ("fail", "rejected")]
)
def test_verdicts_make_their_events(verdict: str, last: str) -> None:
    """Pass promotes, fail rejects, inconclusive does neither."""
    assert KINDS[verdict] == ("trained", "evaluated", last)[: 2 if verdict == "inconclusive" else 3]  # type: ignore[index]


@pytest.mark.parametrize("point", BEFORE_INTENT)
def test_killed_before_the_intent_leaves_nothing(
    point: str, registry: Registry, publisher: Publisher, tmp_path: Path
) -> None:
    """A version that was not yet intended never existed: discarded, nothing announced, the number is free."""
    _killed_at(point, tmp_path)
    assert publisher.heal() == 0
    assert (registry.names("intent"), registry.events(), list((tmp_path / "work").iterdir())) == ([], [], [])
    assert registry.next_number("intent") == 1


@pytest.mark.parametrize("point", AFTER_INTENT)
def test_killed_after_the_intent_is_carried_out_once(
    point: str, registry: Registry, publisher: Publisher, tmp_path: Path
) -> None:
    """From the intent on, the next process finishes the publication: one version, each event known once."""
    _killed_at(point, tmp_path)
    publisher.heal()
    publisher.heal()
    [name] = registry.names("intent")
    recorded = registry.events()
    assert [one.kind for one in recorded] == list(KINDS["pass"])
    assert {one.adapter for one in recorded} == {name}
    assert sorted(FileAnnouncer(tmp_path / "announced").ids()) == sorted(one.event_id for one in recorded)
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("seed", range(5))
def test_killed_at_any_moment_leaves_only_whole_versions(
    seed: int, registry: Registry, publisher: Publisher, tmp_path: Path
) -> None:
    """Killed at a random moment between many publications, each version is whole and announced, or not there."""
    command = [sys.executable, "-m", "tests.trainers.killed", str(tmp_path), UNTIL_KILLED]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.Random(seed).uniform(0, 0.3))
        child.kill()
    publisher.heal()
    recorded = registry.events()
    names = registry.names("intent")
    assert {one.adapter for one in recorded} == set(names)
    assert len(recorded) == len(KINDS["pass"]) * len(names)
    assert sorted(FileAnnouncer(tmp_path / "announced").ids()) == sorted(one.event_id for one in recorded)
    for one in recorded:
        assert verify(registry.fetch(artifact_of(one), tmp_path / "cache")).sha256.startswith(one.adapter[-8:])
    assert list((tmp_path / "work").iterdir()) == []


def test_heal_announces_what_the_announcer_lost(registry: Registry, publisher: Publisher, tmp_path: Path) -> None:
    """After the broker forgot everything, healing tells it all again, once."""
    _publish(publisher)
    (tmp_path / "announced").unlink()
    assert (publisher.heal(), publisher.heal()) == (3, 0)
    assert len(registry.events()) == 3


def test_a_failed_training_leaves_no_stage(publisher: Publisher, tmp_path: Path) -> None:
    """An error between staging and publication discards the stage and reaches the caller."""
    with pytest.raises(ZeroDivisionError), publisher.staging("run-1"):
        raise ZeroDivisionError
    assert list((tmp_path / "work").iterdir()) == []


def test_an_unreachable_announcer_leaves_the_intent(registry: Registry, publisher: Publisher, tmp_path: Path) -> None:
    """When announcing fails, the version is safe in the registry and the next heal announces it."""
    (tmp_path / "announced").mkdir()
    with pytest.raises(OSError, match="announced"):
        _publish(publisher)
    assert (tmp_path / "work" / "run-1" / INTENT).exists()
    (tmp_path / "announced").rmdir()
    publisher.heal()
    assert len(FileAnnouncer(tmp_path / "announced").ids()) == len(registry.events()) == 3

"""The subscriber: champions only, verified before loading, new before old, and the old one stays in doubt."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.records import Artifact, ModelEvent
from serving.model_events import RecordedEvents
from serving.subscriber import WAITS_S, Subscriber
from sinks.registry import Registry, open_registry
from tests.adapters import event, sealed_folder

A, B = "intent-00001-aaaaaaaa", "intent-00002-bbbbbbbb"


class _Calls:
    """A loader that keeps its calls, and refuses a name that it holds."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.held: set[str] = set()

    def load(self, name: str, folder: Path, event: ModelEvent) -> None:
        assert name not in self.held
        assert (folder / "adapter_model.safetensors").exists()
        self.held.add(name)
        self.calls.append(f"load {name} on {event.base_model}")

    def unload(self, name: str) -> None:
        self.held.remove(name)
        self.calls.append(f"unload {name}")


class _Stream:
    """A source whose later events come with `follow`, one list at a time."""

    def __init__(self, *batches: list[ModelEvent]) -> None:
        self._batches = list(batches)

    def replay(self) -> Iterable[ModelEvent]:
        return self._batches.pop(0)

    def follow(self, wait_s: float) -> Iterable[ModelEvent]:
        assert wait_s >= 0
        return self._batches.pop(0) if self._batches else []


class _Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class _Counted:
    """A fetcher that counts its fetches by adapter."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.fetches = 0

    def fetch(self, artifact: Artifact, into: Path) -> Path:
        self.fetches += 1
        return self._registry.fetch(artifact, into)


def _damage(registry: Registry, name: str) -> bytes:
    """Cuts the weights in the store; gives back what they were."""
    path = f"{registry.root}/adapters/intent/{name}/adapter_model.safetensors"
    whole: bytes = registry.files.cat_file(path)
    registry.files.pipe_file(path, whole[:3])
    return whole


@pytest.fixture(name="registry")
def _registry(tmp_path: Path) -> Registry:
    return open_registry(f"file://{tmp_path}/store")


@pytest.fixture(name="published")
def _published(registry: Registry, tmp_path: Path) -> dict[str, Artifact]:
    return {name: registry.publish(sealed_folder(tmp_path / name, name.encode()), name) for name in (A, B)}


def test_replay_loads_the_champion_of_now_only(
    registry: Registry, published: dict[str, Artifact], tmp_path: Path
) -> None:
    """A version that was replaced before the start never loads; folding twice changes nothing."""
    calls, history = _Calls(), [event(A, artifact=published[A]), event(B, artifact=published[B])]
    state = Subscriber(RecordedEvents(history * 2), registry, calls, tmp_path / "cache").start()
    assert calls.calls == [f"load {B} on base"]
    assert (state.loaded, state.events) == ({("intent", "shop"): B}, 2)


def test_new_is_loaded_before_old_is_unloaded(
    registry: Registry, published: dict[str, Artifact], tmp_path: Path
) -> None:
    """A promotion switches without a gap; a roll-back switches back; a retired last champion is unloaded."""
    first, second = event(A, artifact=published[A]), event(B, artifact=published[B])
    stream = _Stream([first], [second], [event(B, "rolled_back")], [event(A, "retired")])
    calls = _Calls()
    subscriber = Subscriber(stream, registry, calls, tmp_path / "cache")
    subscriber.start()
    for _ in range(3):
        subscriber.step(0.0)
    assert [call.removesuffix(" on base") for call in calls.calls] == [
        f"load {A}", f"load {B}", f"unload {A}", f"load {A}", f"unload {B}", f"unload {A}",
    ]  # fmt: skip


def test_a_wrong_digest_never_loads_and_the_old_one_stays(
    registry: Registry, published: dict[str, Artifact], tmp_path: Path
) -> None:
    """A champion whose folder is not the announced one is not loaded; the corrected event is tried at once."""
    bad = event(B, artifact=replace(published[B], sha256="0" * 64))
    calls = _Calls()
    mended = replace(event(B, at=3, artifact=published[B]), event_id="1" * 32)
    stream = _Stream([event(A, artifact=published[A])], [bad], [mended])
    subscriber = Subscriber(stream, registry, calls, tmp_path / "cache", clock=_Clock())
    subscriber.start()
    assert "announced was 0000" in subscriber.step(0.0).waiting[B]
    assert calls.held == {A}
    assert subscriber.step(0.0).loaded == {("intent", "shop"): B}


def test_a_damaged_copy_is_tried_again_and_loads_once_whole(
    registry: Registry, published: dict[str, Artifact], tmp_path: Path
) -> None:
    """Damage is found before loading; the next try waits its time, and a mended folder loads."""
    whole, clock = _damage(registry, A), _Clock()
    counted = _Counted(registry)
    stream = _Stream([event(A, artifact=published[A])])
    subscriber = Subscriber(stream, counted, _Calls(), tmp_path / "cache", clock=clock)
    state = subscriber.start()
    assert (state.loaded, state.refused, list(state.waiting)) == ({}, {}, [A])
    registry.files.pipe_file(f"{registry.root}/adapters/intent/{A}/adapter_model.safetensors", whole)
    clock.now = WAITS_S[0] / 2
    assert (subscriber.step(0.0).loaded, counted.fetches) == ({}, 1)
    clock.now = WAITS_S[0]
    state = subscriber.step(0.0)
    assert (state.loaded, state.waiting, state.refused) == ({("intent", "shop"): A}, {}, {})


def test_a_copy_that_stays_damaged_is_refused_in_the_end(
    registry: Registry, published: dict[str, Artifact], tmp_path: Path
) -> None:
    """After growing waits the reason is told and nothing is fetched any more, until a newer event of the version."""
    whole, clock, counted = _damage(registry, A), _Clock(), _Counted(registry)
    again = replace(event(A, at=2, artifact=published[A]), event_id="0" * 32)
    tries = len(WAITS_S) + 1
    stream = _Stream([event(A, artifact=published[A])], *([] for _ in range(tries + 5)), [again])
    subscriber = Subscriber(stream, counted, _Calls(), tmp_path / "cache", clock=clock)
    state = subscriber.start()
    for wait in (*WAITS_S, *[1e6] * 6):
        assert (list(state.waiting), list(state.refused)) == (([A], []) if counted.fetches < tries else ([], [A]))
        clock.now += wait
        state = subscriber.step(0.0)
    assert counted.fetches == tries
    assert "adapter_model.safetensors" in state.refused[A]
    assert f"tried {tries} times" in state.refused[A]
    registry.files.pipe_file(f"{registry.root}/adapters/intent/{A}/adapter_model.safetensors", whole)
    assert subscriber.step(0.0).loaded == {("intent", "shop"): A}
    assert subscriber.state().refused == {}


def test_a_name_with_another_content_is_refused(
    registry: Registry, published: dict[str, Artifact], tmp_path: Path
) -> None:
    """A name is bound to the first digest seen under it, whatever a later event says."""
    again = replace(event(A, at=3, artifact=published[B]), event_id="0" * 32)
    stream = _Stream([event(A, artifact=published[A])], [event(A, "rolled_back", at=2)], [again])
    calls = _Calls()
    subscriber = Subscriber(stream, registry, calls, tmp_path / "cache")
    subscriber.start()
    subscriber.step(0.0)
    assert "never reused" in subscriber.step(0.0).refused[A]
    assert calls.held == set()


def test_a_missing_folder_is_waited_for(registry: Registry, published: dict[str, Artifact], tmp_path: Path) -> None:
    """A folder that cannot be fetched now is tried again; meanwhile the state says so."""
    folder = f"{registry.root}/adapters/intent/{A}"
    registry.files.mv(folder, f"{folder}.away", recursive=True)
    subscriber = Subscriber(_Stream([event(A, artifact=published[A])]), registry, _Calls(), tmp_path / "cache")
    assert list(subscriber.start().waiting) == [A]
    registry.files.mv(f"{folder}.away", folder, recursive=True)
    state = subscriber.step(0.0)
    assert (state.loaded, state.waiting) == ({("intent", "shop"): A}, {})


def test_other_tasks_are_left_alone(registry: Registry, published: dict[str, Artifact], tmp_path: Path) -> None:
    """A subscriber of the safety task loads no intent adapter."""
    history = RecordedEvents([event(A, artifact=published[A])])
    calls = _Calls()
    Subscriber(history, registry, calls, tmp_path / "cache", tasks=frozenset({"safety"})).start()
    assert calls.calls == []


def test_a_promotion_without_an_artifact_is_refused(registry: Registry, tmp_path: Path) -> None:
    """Nothing can be verified where nothing was stored."""
    state = Subscriber(RecordedEvents([event(A)]), registry, _Calls(), tmp_path / "cache").start()
    assert "without an artifact" in state.refused[A]

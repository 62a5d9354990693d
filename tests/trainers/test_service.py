"""The continuous trainer: starts when enough is fresh, one run at a time, and knows after a restart what was used."""

from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from threading import Event

import pytest

from schemas.records import Example, Provenance
from sinks.memory import MemoryExamples
from sinks.registry import open_registry
from tests.adapters import FileAnnouncer
from tests.trainers.made import LOOP, contacts
from tests.trainers.word_learner import WordLearner
from trainers.errors import TrainerBusy
from trainers.figures import RecordedFigures
from trainers.items import Item
from trainers.lock import only_trainer
from trainers.publish import ADAPTER, Publisher
from trainers.rounds import RunSettings
from trainers.service import TrainerService, reason_to_train

CLOCK = count(1_000)


def _example(item: Item, offset: int) -> Example:
    return Example(
        example_id=item.id, task=item.task, conversation_id=item.conversation_id, revision=1, turn=0,
        provenance=Provenance("c", "labels", 0, offset), input=item.messages, target=item.target, label_set="shop",
        label_source="teacher", label=item.label, difficulty="easy", language="en", origin="labelled",
        bucket=item.bucket, split=item.split, admitted=True, reasons=(), decomposer="d", text_hash=item.text_hash,
        customer_hash=item.customer,
    )  # fmt: skip


@dataclass(slots=True)
class _Parts:
    store: MemoryExamples
    service: TrainerService
    stop: Event
    landed: int = 0

    def land(self, made: list[Item]) -> None:
        for item in made:
            self.store.add(_example(item, self.landed), now_us=self.landed)
            self.landed += 1


def _parts(folder: Path, store: MemoryExamples | None = None) -> _Parts:
    publisher = Publisher(open_registry(f"file://{folder}/registry"), FileAnnouncer(folder / "log"), folder / "work")
    stop, store = Event(), store or MemoryExamples()
    settings = RunSettings(folder, lambda: next(CLOCK), max_rounds=1)
    service = TrainerService((LOOP,), store, publisher, WordLearner, settings, stop, lambda _what, _share: None)
    return _Parts(store, service, stop)


def test_reasons_to_start() -> None:
    """Enough fresh examples, or any that are too old; never none."""
    track = replace(LOOP, min_fresh=10, max_age_s=60)
    assert reason_to_train(track, 9, 0, 59_000_000) is None
    assert "10 are enough" in (reason_to_train(track, 10, 0, 0) or "")
    assert "60 s ago" in (reason_to_train(track, 1, 0, 60_000_000) or "")
    assert reason_to_train(track, 0, None, 10**12) is None


def test_a_run_starts_when_enough_is_fresh_and_only_then(tmp_path: Path) -> None:
    """Too few: nothing; enough: one run; the same examples never start another, not even after a restart."""
    parts = _parts(tmp_path)
    parts.land(contacts(9))
    assert parts.service.look() == []
    parts.land([*contacts(50, first=100), *contacts(60, "benchmark"), *contacts(20, "development")])
    assert len(parts.service.look()) == 1
    assert parts.service.look() == []
    assert _parts(tmp_path, parts.store).service.look() == []


def test_later_runs_replay_older_examples(tmp_path: Path) -> None:
    """The second run trains on what came since and on what was there before, and says how much of each."""
    parts = _parts(tmp_path)
    parts.land([*contacts(60), *contacts(20, "development")])
    parts.service.look()
    parts.land(contacts(30, first=500))
    [report] = parts.service.look()
    assert (report.rounds[0].batch["fresh"], report.rounds[0].batch["replay"]) == (30, 60)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """While another process trains, the service postpones; a run asked for by hand says who is busy."""
    parts = _parts(tmp_path)
    parts.land(contacts(60))
    with only_trainer(tmp_path):
        assert parts.service.look() == []
        with pytest.raises(TrainerBusy, match="trains below"):
            parts.service.train(LOOP)
    assert len(parts.service.look()) == 1


def test_what_teaches_nothing_is_not_tried_again(tmp_path: Path) -> None:
    """When every fresh example is in the benchmark, the service waits for more instead of trying for ever."""
    parts = _parts(tmp_path)
    leaked = [replace(item, customer=f"customer-train-{n}") for n, item in enumerate(contacts(60, "benchmark"))]
    parts.land([*contacts(60), *leaked])
    assert parts.service.look() == []
    assert parts.service.publisher.registry.events() == []
    parts.land(contacts(9, first=900))
    assert parts.service.look() == []
    parts.land(contacts(1, first=990))
    assert len(parts.service.look()) == 1


def test_a_half_made_adapter_is_discarded_before_the_next_run(tmp_path: Path) -> None:
    """What a killed run left without an intent is gone, and the run begins anew."""
    stage = tmp_path / "work" / "killed-1" / ADAPTER
    stage.mkdir(parents=True)
    (stage / "adapter_model.safetensors").write_bytes(b"half")
    parts = _parts(tmp_path)
    parts.land(contacts(60))
    [report] = parts.service.look()
    assert not stage.exists()
    assert open_registry(f"file://{tmp_path}/registry").names("intent") == [report.rounds[0].event.adapter]


def test_stopping_abandons_the_run(tmp_path: Path) -> None:
    """A stop in the middle of training ends the run; nothing of it is published, nothing is left."""
    parts = _parts(tmp_path)
    parts.land(contacts(60))
    parts.service.progress = lambda _what, _share: parts.stop.set()
    parts.service.look()
    parts.service.serve(0.1)
    assert parts.service.look() == []
    assert list((tmp_path / "work").iterdir()) == []


def test_how_runs_end_is_counted(tmp_path: Path) -> None:
    """Each run ends in one of four ways, and what waits for the next one is known."""
    parts = _parts(tmp_path)
    figures = parts.service.figures = RecordedFigures()
    parts.land(contacts(60))
    with only_trainer(tmp_path):
        parts.service.look()
    parts.service.look()
    parts.land(contacts(3, first=500))
    parts.service.look()
    track = (LOOP.task, LOOP.label_set)
    assert figures.ends == {(*track, "postponed"): 1, (*track, "finished"): 1}
    assert figures.waiting == {track: 3}

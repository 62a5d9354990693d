"""Rounds: gate against probe, then champion; the next batch follows development's errors, never the benchmark's."""

from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from schemas.adapters import fold
from sinks.registry import open_registry
from tests.adapters import FileAnnouncer
from tests.trainers.made import LOOP, WORDS, contact, contacts
from tests.trainers.word_learner import WordLearner
from trainers.batches import read_batch
from trainers.errors import NothingToLearn
from trainers.items import Item
from trainers.pool import Pool
from trainers.publish import Publisher
from trainers.rounds import Report, Run, RunSettings
from trainers.tracks import Track

CLOCK = count(1_000)


def _run(folder: Path, pool: Pool, learner: WordLearner | None = None, track: Track = LOOP) -> Report:
    publisher = Publisher(open_registry(f"file://{folder}/registry"), FileAnnouncer(folder / "log"), folder / "work")
    settings = RunSettings(folder, lambda: next(CLOCK))
    return Run(track, pool, learner or WordLearner(track), publisher, settings, lambda _what, _share: None).rounds()


def _confused(number: int, split: str) -> Item:
    """A customer whose words mislead: no batch can teach it away."""
    return contact(number, "track", split, text=f"money back please {split} {'x' * number}")  # type: ignore[arg-type]


def _pool(train: list[Item] | None = None, *, hard: int = 6, benchmark: int = 90) -> Pool:
    development = [*contacts(60, "development"), *(_confused(n, "development") for n in range(100, 100 + hard))]
    return Pool(
        tuple(contacts(120) if train is None else train),
        (),
        tuple(development),
        tuple(contacts(benchmark, "benchmark")),
        "m1",
    )


def test_a_first_version_that_beats_the_probe_is_promoted(tmp_path: Path) -> None:
    """The event tells it all: verdict against the probe, figures with intervals of both, batch and watermark."""
    report = _run(tmp_path, _pool())
    event = report.rounds[0].event
    assert (event.kind, event.number, report.rounds[0].gate.against) == ("promoted", 1, "probe")
    assert {(m.subject, m.name) for m in event.metrics} >= {("candidate", "accuracy"), ("probe", "accuracy")}
    assert all(m.low is not None for m in event.metrics if m.name == "accuracy")
    assert (event.lineage["watermark"], event.lineage["parent"]) == ("m1", None)
    assert event.batch == report.rounds[0].batch["sha256"]


def test_round_two_has_another_batch_chosen_by_development(tmp_path: Path) -> None:
    """The label with development errors weighs more in round 2; the batch's hash differs; both snapshots are whole."""
    report = _run(tmp_path, _pool())
    first, second = report.rounds[:2]
    assert first.batch["sha256"] != second.batch["sha256"]
    assert second.batch["gaps"][0]["bucket"] == "intent/track/easy/en/production"
    stored = {read_batch(folder).sha256 for folder in (tmp_path / "batches" / "intent").iterdir()}
    assert stored == {one.batch["sha256"] for one in report.rounds}


def test_the_benchmark_never_steers(tmp_path: Path) -> None:
    """Whatever the benchmark holds, the batches of both rounds are the same."""
    other = replace(_pool(), benchmark=tuple(contact(n, "cancel", "benchmark") for n in range(500, 600)))
    one, two = _run(tmp_path / "one", _pool()), _run(tmp_path / "two", other)
    assert [r.batch["sha256"] for r in one.rounds[:2]] == [r.batch["sha256"] for r in two.rounds[:2]]


def test_calibration_certifies_and_steers_nothing(tmp_path: Path) -> None:
    """Whatever calibration holds, batches and adapters are the same; the certificate follows its errors alone."""
    easy = tuple(contact(n, list(WORDS)[n % 3], "development") for n in range(1000, 1150))
    hard = tuple(_confused(n, "development") for n in range(2000, 2150))
    one = _run(tmp_path / "one", replace(_pool(), calibration=easy))
    two = _run(tmp_path / "two", replace(_pool(), calibration=hard))
    assert [r.event.batch for r in one.rounds] == [r.event.batch for r in two.rounds]
    assert one.rounds[0].event.routing is not None
    assert two.rounds[0].event.routing is not None
    assert one.rounds[0].event.routing.coverage == 1.0
    assert two.rounds[0].event.routing.coverage is None
    told = [m.n for m in one.rounds[0].event.metrics if m.on.startswith("calibration") and m.name == "accuracy"]
    assert told == [150]


def test_later_versions_face_the_champion(tmp_path: Path) -> None:
    """Once a version is promoted, the next is judged against it, and the champion stays unless it is beaten."""
    pool = _pool(benchmark=400)
    first, again = _run(tmp_path, pool), _run(tmp_path, pool)
    assert first.promoted is not None
    assert again.rounds[0].gate.against == first.promoted.adapter
    assert again.rounds[0].gate.verdict == "fail"
    states = fold(open_registry(f"file://{tmp_path}/registry").events())
    champion = states.champion("intent", "shop")
    assert champion is not None
    assert champion.adapter == first.promoted.adapter


def test_too_small_a_benchmark_is_inconclusive(tmp_path: Path) -> None:
    """Nobody is promoted or rejected on a handful of items, or on none, and the reason says why."""
    for size in (0, 9):
        report = _run(tmp_path / str(size), _pool(benchmark=size))
        assert {one.event.kind for one in report.rounds} == {"evaluated"}
        assert report.rounds[0].gate.verdict == "inconclusive"


def test_without_errors_there_is_no_second_round(tmp_path: Path) -> None:
    """A clean development split ends the run, and the report says so."""
    report = _run(tmp_path, _pool(hard=0))
    assert (len(report.rounds), report.stopped) == (1, "development shows no errors to learn from")


def test_rounds_warm_start_and_every_third_does_not(tmp_path: Path) -> None:
    """Round 2 starts from round 1's adapter, round 3 from the base again."""
    learner = WordLearner()
    pool = _pool(benchmark=0)
    report = _run(tmp_path, pool, learner)
    warm = [None if path is None else path.name for _, path in learner.saw]
    assert warm[:2] == [None, report.rounds[0].event.adapter]
    assert warm[2:] in ([], [None])


def test_an_empty_pool_says_what_is_missing(tmp_path: Path) -> None:
    """Nothing to train on is an error that counts the reasons; nothing is published."""
    leaked = [contact(1, "refund", text="money back"), contact(2, "refund", text="MONEY back")]
    pool = replace(_pool(leaked), benchmark=(contact(3, "refund", "benchmark", text="money  back"),))
    with pytest.raises(NothingToLearn, match="2 text_in_benchmark"):
        _run(tmp_path, pool)
    assert open_registry(f"file://{tmp_path}/registry").events() == []


def test_the_card_holds_figures_and_no_words(tmp_path: Path) -> None:
    """README.md of the adapter names verdict, data and intervals, and quotes no customer."""
    report = _run(tmp_path, _pool())
    artifact = report.rounds[0].event.artifact
    assert artifact is not None
    folder = open_registry(f"file://{tmp_path}/registry").fetch(artifact, tmp_path / "cache")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "## Gate: pass" in card
    assert report.rounds[0].batch["sha256"] in card
    assert "money back" not in card
    assert "No coverage is certified" in card
    assert "by 0 calibration items" in card

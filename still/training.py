"""Wires the training loop: store, registry, announcer and learners out of the settings, and labelled files as pools.

Loads torch, so commands import it when they run, not before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import orjson
import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from schemas.errors import SchemaError
from schemas.records import ModelEvent
from serving.errors import ServingError
from sinks.clickhouse.examples import ClickHouseExamples
from sinks.errors import BrokerUnavailable, SinkError
from sinks.model_events import KafkaAnnouncer
from still import wiring
from still.capture import reported
from still.errors import UserError
from still.settings import Settings
from streams.errors import ImportFault
from streams.importers.label_files import READERS
from streams.settings import RedactSettings
from streams.traces import customer_of, words_of
from trainers.bases.load import Bases, BaseSettings
from trainers.errors import TrainerError
from trainers.items import Stored, labelled_lines
from trainers.learner import TrackLearner
from trainers.pool import Pool, benchmark_of, read_pool
from trainers.protocols import Announcer
from trainers.protocols import Progress as Report
from trainers.publish import Publisher
from trainers.rounds import RunSettings
from trainers.service import TrainerService
from trainers.tracks import Track, load_track

log = structlog.get_logger(__name__)

SHORT_S = 3.0


@dataclass(slots=True)
class LaterAnnouncer:
    """Announces while Kafka is there; while it is not, events wait in the registry, and `still up` announces them.

    `kafka` None = the settings name no broker.
    """

    kafka: KafkaAnnouncer | None
    _away: bool = False

    def announced(self) -> set[str]:
        """What Kafka holds; nothing while it is away."""
        if self.kafka is None:
            return set()
        try:
            known = self.kafka.announced()
        except BrokerUnavailable as error:
            if not self._away:
                _wait_said(error)
            self._away = True
            return set()
        self._away = False
        return known

    def announce(self, event: ModelEvent) -> None:
        """Announce, unless Kafka is away."""
        if self.kafka is not None and not self._away:
            self.kafka.announce(event)


def later_announcer(settings: Settings) -> LaterAnnouncer:
    """Where a run on a file announces, which needs no broker."""
    try:
        return LaterAnnouncer(wiring.announcer(settings, SHORT_S))
    except BrokerUnavailable as error:
        _wait_said(error)
        return LaterAnnouncer(None)


def _wait_said(error: BrokerUnavailable) -> None:
    log.warning("announcement_waits", reason=str(error), until="still up, or the trainer's next start")


def store(settings: Settings) -> ClickHouseExamples:
    """The examples in ClickHouse."""
    return ClickHouseExamples(wiring.clickhouse(settings, wait_s=SHORT_S))


def publisher(settings: Settings, announcer: Announcer) -> Publisher:
    """Publishes into the settings' registry; versions in the making lie in the folder."""
    return Publisher(wiring.registry(settings), announcer, settings.folder / "trainer" / "work")


def bases(settings: Settings) -> Bases:
    """The resident base models."""
    encoder, decoder = settings.encoder_base or None, settings.decoder_base or None
    return Bases(BaseSettings(encoder=encoder, decoder=decoder, threads=settings.threads))


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


def service(
    settings: Settings, tracks: tuple[Track, ...], stop: Event, report: Report, rounds: int | None = None
) -> TrainerService:
    """The trainer over everything in the store."""
    resident = bases(settings)
    return TrainerService(
        tracks=tracks,
        store=store(settings),
        publisher=publisher(settings, wiring.announcer(settings)),
        learner_of=lambda track: TrackLearner(track, resident),
        settings=RunSettings(settings.folder / "trainer", now_us, rounds),
        stop=stop,
        progress=report,
    )


@contextmanager
def bar() -> Iterator[Report]:
    """A progress bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        line = shown.add_task("", total=1.0)
        yield lambda what, share: shown.update(line, description=what, completed=share)


@contextmanager
def explained() -> Iterator[None]:
    """Errors of training, store and registry as one line for the user."""
    try:
        with reported():
            yield
    except (TrainerError, SinkError, ServingError, SchemaError) as error:
        raise UserError(str(error)) from None


def track_for(task: str, label_set: str | None, file: Path | None, tracks: Path | None = None) -> Track:
    """The track of a task; its label set is the one named, else the only one in the file, else the track's own.

    Raises:
        UserError: the file holds several label sets of the task, or none.
        InvalidItem: a broken line, as `file:line: what`.
    """
    track = load_track(task, tracks)
    if label_set is None and file is not None:
        found = {labelled.label_set for _, labelled in labelled_lines(file) if labelled.task == track.task}
        if not found:
            raise UserError(f"{file} holds no line of task {task}; check the file, or name another --task")
        if len(found) > 1:
            raise UserError(f"{file} holds {task} of label sets {sorted(found)}; name one with --label-set")
        label_set = found.pop()
    return track if label_set is None else replace(track, label_set=label_set)


@contextmanager
def labelled_file(source: Path, form: str, label_set: str | None) -> Iterator[Path]:
    """The source as a labelled data file; a named format is rewritten line by line, its texts unchanged.

    Raises:
        UserError: no such format or file, or a broken line, as `file:line: what`.
    """
    if form not in READERS:
        raise UserError(f"--format {form!r} is not one of {', '.join(READERS)}")
    if not source.exists():
        raise UserError(f"--data {source} is not there; check the path")
    if form == "jsonl" and not source.is_file():
        raise UserError(f"--data {source} is no file; give a JSONL file, or name its --format")
    if form == "jsonl":
        yield source
        return
    with TemporaryDirectory() as folder, reported():
        file = Path(folder) / f"{label_set or form}.jsonl"
        with file.open("wb") as out:
            for line in READERS[form](source):
                if isinstance(line, ImportFault):
                    raise UserError(str(line))
                out.write(orjson.dumps(line.value) + b"\n")
        yield file


def as_stored(settings: Settings) -> Stored:
    """How the store of these settings knows the customers and words of a file's lines."""
    how = RedactSettings(settings.key())
    return Stored(
        lambda customer: customer_of(customer, how),
        lambda task, messages, customer: words_of(task, messages, customer, how),
    )


def pool_of(file: Path, source: Path, track: Track, settings: Settings) -> Pool:
    """The pool in a labelled data file without what the store's benchmark holds, where the store answers.

    Its query names the source that the user gave, and how many items of the benchmark were looked at, or why none.
    """
    try:
        reserved = benchmark_of(store(settings), track)
        told = f"checked {len(reserved)} items"
    except SinkError as error:
        reserved, told = [], f"not checked: {error}"
        log.warning("benchmark_of_store_not_checked", task=track.task, label_set=track.label_set, reason=str(error))
    pool = read_pool(file, track, as_stored(settings), reserved)
    return replace(pool, query={**pool.query, "file": source.name, "benchmark_of_store": told})

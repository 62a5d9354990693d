"""How the embedded stack stops without losing what is on its way, and what it says of it.

The trainer goes first. Then worker and sink read what there is; contacts that are still open are closed where the
broker forgets them; worker and sink stop, and what is kept and what is not is counted while ClickHouse and the broker
still answer. All waiting is bounded, and a second Ctrl-C ends it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

import structlog

from schemas import codec
from schemas.exits import STOPPED_LATE
from schemas.records import AssemblyState
from sinks.settings import GROUP as SINK
from still import kafka, landed
from still.embedded.stack import Broker, EmbeddedStack
from still.embedded.supervisor import ChildState
from still.errors import UserError, known
from still.lag import EndsUnknown, Lag, groups, lags
from still.security import kafka_options
from still.settings import Settings
from streams.assemble import TOPIC as EVENTS
from streams.assemble import inactivity_close
from streams.assembly_keys import TOPIC as STATE
from streams.assembly_store import AssemblyStore
from streams.deliver import Delivery, Outgoing
from streams.errors import StreamError
from streams.metrics import NoMetrics
from streams.topics import partition_counts
from streams.worker_settings import GROUP as WORKER

log = structlog.get_logger(__name__)

_LOOK_S = 0.3
_CONFIRM_S = 5.0
_UNSURE = (STOPPED_LATE, -signal.SIGKILL)
_NO_ANSWER = "ClickHouse did not answer"


@dataclass(frozen=True, slots=True)
class Stops:
    """What the terminal asked for: the first Ctrl-C or SIGTERM to stop, a second one not to wait."""

    asked: Event = field(default_factory=Event)
    hurried: Event = field(default_factory=Event)

    def heard(self) -> None:
        """One more signal came."""
        (self.hurried if self.asked.is_set() else self.asked).set()


def listen() -> Stops:
    """Stops that Ctrl-C and SIGTERM set."""
    stops = Stops()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stops.heard())
    return stops


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stop may wait: until `deadline_s` of the monotonic clock, or until it is hurried."""

    deadline_s: float
    hurried: Event

    @property
    def is_over(self) -> bool:
        """Whether to wait no more."""
        return self.hurried.is_set() or time.monotonic() >= self.deadline_s

    def wait(self, seconds: float) -> None:
        """So long, or less."""
        self.hurried.wait(min(seconds, max(0.0, self.deadline_s - time.monotonic())))


@dataclass(frozen=True, slots=True)
class Account:
    """What a stop kept and what it did not; None = it could not be known.

    Attributes:
        rows: rows of each table that ClickHouse keeps.
        left: where a group has records still to read.
        closed: open contacts that the stop closed; None = closing them was not its business.
        open: contacts that are still open; their turns are in the broker alone.
        unknown: why `rows` is None, in the words of who was asked.
        is_unsure: the sink ended without an answer to an insert, whose rows may be there already or come yet.
    """

    broker: Broker
    rows: Mapping[str, int] | None
    left: tuple[Lag, ...] | None
    closed: int | None
    open: int | None
    is_unsure: bool = False
    unknown: str = _NO_ANSWER


def drain(look: Callable[[], Sequence[Lag]], patience: Patience, tell: Callable[[int], None]) -> bool:
    """Wait until nothing waits to be read; False where patience ended first.

    Two looks in a row must say so with the same ends: what the worker finished between the two halves of a look is not
    in its first half. A look that did not hear every end says nothing.
    """
    settled: list[int] | None = None
    while not patience.is_over:
        found = _looked(look)
        if found is not None:
            waiting = sum(lag.waiting for lag in found)
            ends = [lag.end for lag in found]
            tell(waiting)
            if not waiting and ends == settled:
                return True
            settled = None if waiting else ends
        patience.wait(_LOOK_S)
    return False


def _looked(look: Callable[[], Sequence[Lag]]) -> Sequence[Lag] | None:
    try:
        return look()
    except EndsUnknown as error:
        log.warning("stop_looks_again", reason=str(error))
        return None


def reading(settings: Settings, running: Collection[str]) -> Callable[[], list[Lag]]:
    """A look at what worker and sink, as far as they run, have still to read."""
    processes = {settings.topic_prefix + WORKER: "worker", settings.topic_prefix + SINK: "sink"}
    read = {group: topics for group, topics in groups(settings).items() if processes[group] in running}
    return lambda: lags(settings.bootstrap_servers, read, kafka_options(settings))


def open_contacts(settings: Settings, cluster: str) -> list[AssemblyState]:
    """The state of every contact that no close has ended yet, as the worker last confirmed it.

    Raises:
        UserError: the state cannot be read.
    """
    topic = settings.topic_prefix + STATE
    try:
        count = partition_counts(kafka.admin(settings)).get(topic, 0)
        store = AssemblyStore(settings.bootstrap_servers, topic, kafka_options(settings), _CONFIRM_S)
        states = [found.state for partition in range(count) for found in store.load(partition, cluster).found]
    except StreamError as error:
        raise UserError(str(error)) from None
    return [state for state in states if state.status == "open"]


def close(settings: Settings, contacts: Sequence[AssemblyState]) -> None:
    """Publish a close for each, as their silence would have; a contact that has moved on since is left alone.

    Raises:
        UserError: the broker does not confirm.
    """
    topic = settings.topic_prefix + EVENTS
    closes = [(state, inactivity_close(state)) for state in contacts]
    records = [Outgoing(topic, s.partition, s.conversation_id.encode(), codec.encode(event)) for s, event in closes]
    try:
        Delivery(kafka.produce_settings(settings), NoMetrics(), _CONFIRM_S).confirm(records)
    except StreamError as error:
        raise UserError(str(error)) from None


def wind_down(running: EmbeddedStack, settings: Settings, patience: Patience, tell: Callable[[str], None]) -> Account:
    """Stop trainer, worker and sink, in this order, each when nothing waits for it; broker and ClickHouse go on."""
    active = [name for name, child in running.supervisor.statuses().items() if child.state is ChildState.READY]
    tell("the trainer ends its step")
    running.stop_children(["trainer"])
    look = reading(settings, active)
    closed: int | None = None
    try:
        is_drained = drain(look, patience, _behind(tell))
        if is_drained and running.stack.broker == "memory" and "worker" in active:
            contacts = open_contacts(settings, running.stack.cluster_id)
            close(settings, contacts)
            closed = len(contacts)
            drain(look, patience, _behind(tell))
    except UserError as error:
        log.warning("stop_does_not_wait", reason=str(error))
    tell("worker and sink finish what they hold")
    running.stop_children(["worker", "sink"])
    return _account(running, settings, closed, patience)


def _behind(tell: Callable[[str], None]) -> Callable[[int], None]:
    return lambda waiting: tell(f"{waiting:,} records have still to land; Ctrl-C again skips them")


def _account(running: EmbeddedStack, settings: Settings, closed: int | None, patience: Patience) -> Account:
    """What can be known now; a broker or a ClickHouse that is gone leaves its part unknown."""
    cluster = running.stack.cluster_id
    is_open = None if patience.hurried.is_set() else known(lambda: len(open_contacts(settings, cluster)), _cannot_count)
    sink = running.supervisor.statuses().get("sink")
    is_unsure = sink is not None and sink.exit_status in _UNSURE
    # A ClickHouse that did not answer the sink is not waited for once more.
    rows, unknown = (None, _NO_ANSWER) if is_unsure else _rows(settings)
    left = known(lambda: _left(settings), _cannot_count)
    account = Account(running.stack.broker, rows, left, closed, is_open, is_unsure, unknown)
    log.info(
        "stack_winds_down",
        broker=account.broker,
        rows=account.rows,
        left=None if account.left is None else {lag.topic: lag.waiting for lag in account.left},
        closed_contacts=closed,
        open_contacts=is_open,
    )
    return account


def _left(settings: Settings) -> tuple[Lag, ...]:
    return tuple(lag for lag in reading(settings, ("worker", "sink"))() if lag.waiting)


def _rows(settings: Settings) -> tuple[dict[str, int] | None, str]:
    """The rows of each table, or None, and why they are not known."""
    try:
        with landed.asking(settings) as client:
            return landed.rows(client), _NO_ANSWER
    except UserError as error:
        _cannot_count(str(error))
        return None, str(error)


def _cannot_count(reason: str) -> None:
    log.warning("stop_cannot_count", reason=reason)

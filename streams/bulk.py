"""Publishes many events with a bounded number under way, and reports on each: receipt or fault, in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future

from schemas.records import ConversationEvent
from streams.errors import BrokerUnavailable, EventTooLarge, ImportFault, ProduceError
from streams.importers.source import Found
from streams.produce import Delivered
from streams.publisher import Publisher, Receipt, receipt

MAX_UNDER_WAY = 500

Sent = ConversationEvent | Found
"""An event, with the place that it was read from where it has one."""

Fault = ImportFault | ProduceError
"""Why an event was not sent: an `ImportFault` names its place."""

Pending = tuple[Sent, "Future[Delivered]"]


def publish_all(publisher: Publisher, items: Iterable[Sent | ImportFault]) -> Iterator[Receipt | Fault]:
    """A receipt for each event, the fault for each that cannot be sent; faults of the source pass through.

    Raises:
        BrokerUnavailable: nobody confirms any more; what has no receipt may be published again.
    """
    under_way: deque[Pending | Fault] = deque()
    for item in items:
        under_way.append(_begin(publisher, item))
        # What is settled is told at once: a slow source must not hide a failure behind events still to come.
        while under_way and (len(under_way) > MAX_UNDER_WAY or _is_settled(under_way[0])):
            yield _finish(under_way.popleft())
    while under_way:
        yield _finish(under_way.popleft())


def publish_each(publisher: Publisher, events: Iterable[ConversationEvent]) -> Iterator[Receipt]:
    """A receipt for each event.

    Raises:
        ProduceError: the first event that is not confirmed; what has no receipt may be published again.
    """
    for answer in publish_all(publisher, events):
        if not isinstance(answer, Receipt):
            raise answer
        yield answer


def _begin(publisher: Publisher, item: Sent | ImportFault) -> Pending | Fault:
    if isinstance(item, ImportFault):
        return item
    try:
        return item, publisher.begin(_event(item))
    except EventTooLarge as error:
        return _placed(item, error)


def _is_settled(pending: Pending | Fault) -> bool:
    return isinstance(pending, (ImportFault, ProduceError)) or pending[1].done()


def _finish(pending: Pending | Fault) -> Receipt | Fault:
    if isinstance(pending, (ImportFault, ProduceError)):
        return pending
    sent, confirmed = pending
    try:
        return receipt(_event(sent), confirmed.result())
    except BrokerUnavailable:
        raise
    except ProduceError as error:
        return _placed(sent, error)


def _event(sent: Sent) -> ConversationEvent:
    return sent.event if isinstance(sent, Found) else sent


def _placed(sent: Sent, error: ProduceError) -> Fault:
    return sent.fault(str(error)) if isinstance(sent, Found) else error

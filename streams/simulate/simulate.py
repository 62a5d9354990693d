"""Contacts cut into the events that an agent service would publish, in the order in which they would arrive.

Turn mode sends each turn, feedback, outcome and close as an event of its own, and in part of the contacts gets them
late, twice, out of order or never closed, as networks do; whole mode sends one event for a contact. Duplicates are
equal byte for byte.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from schemas.ids import stable_id
from schemas.records import ConversationEvent
from streams.simulate.dialogue import DOMAIN, Contact
from streams.simulate.people import customer
from streams.simulate.scenario import DIALOGUE_ACTS, hold
from streams.simulate.settings import SimulateSettings
from streams.simulate.shop import shop

TENANT = "lantern-and-loom"
AGENT = "shop-assistant"
CUSTOMERS = "customer"
"""The population of customers that production traffic comes from; benchmarks use another."""

_LATE_US = 2 * 3600 * 10**6
_ACK_US = 40_000

Arrival = tuple[int, ConversationEvent]


def simulate(settings: SimulateSettings, seed: int) -> Iterator[ConversationEvent]:
    """All events of the simulated contacts, in order of arrival; equal arguments give equal events."""
    run = stable_id("simulate", seed, replace(settings, conversations=0))[:8]
    waiting: list[tuple[int, int, ConversationEvent]] = []
    arrivals = 0
    for contact in contacts(settings, seed, CUSTOMERS):
        while waiting and waiting[0][0] < contact.started_us:
            yield heapq.heappop(waiting)[2]
        rng = random.Random(f"{run}:{contact.number}")
        for arrived_us, event in cut(contact, settings, f"sim-{run}-{contact.number:06}", rng):
            arrivals += 1
            heapq.heappush(waiting, (arrived_us, arrivals, event))
    while waiting:
        yield heapq.heappop(waiting)[2]


def contacts(settings: SimulateSettings, seed: int, population: str) -> Iterator[Contact]:
    """The contacts behind the events; a customer of a growing population comes back about three times."""
    for number in range(settings.conversations):
        rng = random.Random(f"{seed}:{population}:{number}")
        who = customer(seed, population, rng.randrange(5 + number // 3), settings.languages)
        yield hold(settings, who, number, rng)


def cut(contact: Contact, settings: SimulateSettings, conversation_id: str, rng: random.Random) -> list[Arrival]:
    """The contact's events with their times of arrival in microseconds."""
    _misjudge(contact, settings.label_noise, rng)
    if settings.whole:
        event = _whole(contact, conversation_id)
        return [(contact.turns[-1].at_us, event)]
    arrivals = [(event.occurred_at or 0, event) for event in _turn_events(contact, conversation_id)]
    if rng.random() < settings.disorder:
        return _disturb(arrivals, rng)
    return arrivals


def _event(
    contact: Contact, conversation_id: str, sequence: int | None, occurred_us: int, **content: Any
) -> ConversationEvent:
    return ConversationEvent(
        event_id=stable_id(conversation_id, sequence),
        conversation_id=conversation_id,
        sequence=sequence,
        occurred_at=occurred_us,
        tenant=TENANT,
        customer_id=contact.customer.customer_id,
        agent=AGENT,
        variant=contact.teacher.name,
        **content,
    )


def _turn_events(contact: Contact, conversation_id: str) -> list[ConversationEvent]:
    bodies: list[tuple[int, dict[str, Any]]] = []
    for index, turn in enumerate(contact.turns):
        body: dict[str, Any] = {"kind": "turn", "messages": turn.messages, "labels": turn.labels}
        body["usage"] = tuple(turn.usage)
        if index == 0:
            body |= {"tools": shop().tools, "metadata": _metadata(contact)}
        bodies.append((turn.at_us, body))
    ended_us = contact.turns[-1].at_us
    bodies += [(ended_us + 20 * 10**6, {"kind": "feedback", "feedback": one}) for one in contact.feedback]
    if contact.outcome is not None:
        bodies.append((ended_us + 25 * 10**6, {"kind": "outcome", "outcome": contact.outcome}))
    bodies.append((ended_us + 30 * 10**6, {"kind": "closed"}))
    return [_event(contact, conversation_id, number, at_us, **body) for number, (at_us, body) in enumerate(bodies)]


def _whole(contact: Contact, conversation_id: str) -> ConversationEvent:
    messages: list[Any] = []
    labels: list[dict[str, Any]] = []
    usage: list[Any] = []
    for turn in contact.turns:
        first = len(messages)
        labels += [label | {"message": first + label["message"]} for label in turn.labels]
        usage += [replace(one, message=first + (one.message or 0)) for one in turn.usage]
        messages += turn.messages
    return _event(
        contact,
        conversation_id,
        None,
        contact.turns[-1].at_us,
        kind="conversation",
        started_at=contact.started_us,
        messages=messages,
        tools=shop().tools,
        usage=tuple(usage),
        feedback=contact.feedback[0] if contact.feedback else None,
        outcome=contact.outcome,
        labels=labels,
        metadata=_metadata(contact),
    )


def _metadata(contact: Contact) -> dict[str, str]:
    return {"source": "still simulate", "domain": DOMAIN, "language": contact.customer.language}


def _misjudge(contact: Contact, share: float, rng: random.Random) -> None:
    """The teacher's annotations are wrong now and then: another intent, a span overlooked, an alarm missed."""
    intents = (*shop().intents, *DIALOGUE_ACTS)
    for label in (label for turn in contact.turns for label in turn.labels):
        if rng.random() >= share:
            continue
        if label["task"] == "intent":
            label["target"] = intents[rng.randrange(len(intents))]
        else:
            label["target"] = label["target"][1:]


def _disturb(arrivals: list[Arrival], rng: random.Random) -> list[Arrival]:
    """One of: two neighbours swapped, one sent twice, one hours late, never closed."""
    kind = rng.randrange(4)
    at = rng.randrange(len(arrivals) - 1)
    if kind == 0:
        (first_us, first), (second_us, second) = arrivals[at : at + 2]
        arrivals[at : at + 2] = [(first_us, second), (max(second_us, first_us + 1), first)]
    elif kind == 1:
        arrivals.insert(at + 1, (arrivals[at][0] + _ACK_US, arrivals[at][1]))
    elif kind == 2:
        arrivals[at] = (arrivals[-1][0] + _LATE_US, arrivals[at][1])
    else:
        arrivals.pop()
    return arrivals

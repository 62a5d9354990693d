"""Wires the local engine: adapter folders become models of `serving`, kept on the champions by the subscriber."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.ids import text_hash
from schemas.records import Messages, ModelEvent, Task
from serving.answers import LocalEngine, Reply
from serving.model_events import RecordedEvents
from serving.subscriber import Subscriber
from still import wiring
from still.errors import UserError
from still.settings import Settings
from still.training import bases
from trainers.folder import read_card
from trainers.items import Item, render
from trainers.predict import AdapterPredictor, load_predictor
from trainers.tracks import Track


@dataclass(frozen=True, slots=True)
class AdapterModel:
    """An adapter as a model that answers chat messages."""

    predictor: AdapterPredictor
    track: Track

    def answer(self, messages: Messages) -> Reply:
        """See `Model.answer`."""
        (prediction,) = self.predictor.predict([_question(messages, self.track)])
        return Reply(prediction.output, prediction.confidence)

    def close(self) -> None:
        """See `Model.close`."""
        self.predictor.close()


def engine(settings: Settings, task: Task, label_set: str | None) -> LocalEngine:
    """An engine with the champions of a task, as the registry's events tell them.

    Raises:
        UserError: a champion was refused, because its folder is not the announced one.
    """
    registry = wiring.registry(settings)
    wanted = [event for event in registry.events() if label_set in (None, event.label_set)]
    local = LocalEngine(opener(settings))
    state = _subscriber(settings, wanted, local, task).start()
    for reason in (*state.refused.values(), *state.waiting.values()):
        raise UserError(f"the champion of {task} cannot be loaded: {reason}")
    return local


def opener(settings: Settings) -> Callable[[Path], AdapterModel]:
    """How a verified folder becomes a model."""
    resident = bases(settings)
    return lambda folder: AdapterModel(load_predictor(folder, resident), read_card(folder).track)


def _subscriber(settings: Settings, events: list[ModelEvent], local: LocalEngine, task: Task) -> Subscriber:
    return Subscriber(
        RecordedEvents(events),
        wiring.registry(settings),
        local,
        settings.folder / "adapters",
        tasks=frozenset({task}),
    )


def _question(messages: Messages, track: Track) -> Item:
    """An item without a target: what the model is asked."""
    text = render(messages, track.turns)
    return Item(
        id="question",
        task=track.task,
        text=text,
        target="" if track.task == "response" else None,
        label="",
        bucket="",
        conversation_id="",
        customer=None,
        weight=1.0,
        origin="production",
        text_hash=text_hash(text),
        messages=messages,
    )

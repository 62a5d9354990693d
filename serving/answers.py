"""Answers with the champion of a track: an engine in this process that holds one model per adapter.

It is a loader like any other, so a subscriber keeps it on the champions; how a folder becomes a model is given from
outside, because serving knows no trainer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from schemas.records import Json, Messages, ModelEvent, Task
from serving.errors import NoChampion


@dataclass(frozen=True, slots=True)
class Reply:
    """A model's output in the form of its task's target, with its confidence in [0, 1] where it has one."""

    output: Json
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, and who gave it."""

    adapter: str
    task: Task
    label_set: str
    output: Json
    confidence: float | None


class Model(Protocol):
    """An adapter that is ready to answer."""

    def answer(self, messages: Messages) -> Reply:
        """The reply to the last of these chat messages."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@dataclass(slots=True)
class LocalEngine:
    """Loaded adapters by name; `open_model` makes the model of a verified folder."""

    open_model: Callable[[Path], Model]
    _models: dict[str, tuple[ModelEvent, Model]] = field(default_factory=dict)

    def load(self, name: str, folder: Path, event: ModelEvent) -> None:
        """See `Loader.load`."""
        self._models[name] = (event, self.open_model(folder))

    def unload(self, name: str) -> None:
        """See `Loader.unload`."""
        self._models.pop(name)[1].close()

    def answer(self, task: Task, label_set: str | None, messages: Messages) -> Answer:
        """The champion's answer; without `label_set` the track must have exactly one.

        Raises:
            NoChampion: none is loaded for this track, or several are and none was named.
        """
        found = [
            (event, model)
            for event, model in self._models.values()
            if event.task == task and label_set in (None, event.label_set)
        ]
        if len(found) != 1:
            raise NoChampion(_why(task, label_set, [event for event, _ in found]))
        event, model = found[0]
        reply = model.answer(messages)
        return Answer(event.adapter, task, event.label_set, reply.output, reply.confidence)


def _why(task: Task, label_set: str | None, found: list[ModelEvent]) -> str:
    if found:
        return f"{task} has champions of label sets {', '.join(sorted(e.label_set for e in found))}; name one of them"
    named = f" of label set {label_set!r}" if label_set else ""
    return f"{task} has no champion{named} yet: no version has passed its gate; see `still models list`"

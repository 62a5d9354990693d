"""Cut a conversation into examples of the five tasks: one file of rules per task, one function here that runs them."""

from __future__ import annotations

from streams.decompose import entities, intent, response, safety, tools
from streams.decompose.window import Windows
from streams.transcript import Transcript
from streams.values import Cut

DECOMPOSER = "rules-2"

_RULES = (intent.cut, entities.cut, response.cut, tools.cut, safety.cut)


def decompose(transcript: Transcript) -> list[Cut]:
    """The cuts of one conversation, task by task; a context without any word yields none."""
    windows = Windows(transcript)
    return [cut for rule in _RULES for cut in rule(transcript, windows) if cut.input]

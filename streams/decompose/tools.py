"""Tools: the agent's next tool with its arguments, or none, wherever it had to decide.

From labels, else from what the agent did. A call whose arguments are no object is no target; one that failed or
got no answer is cut, and says so, because it is no demonstration. A hand-off that ends the contact needs no answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.records import Json, Tools
from streams.decompose.labels import labels_of, space
from streams.decompose.varied import varied
from streams.decompose.window import Windows
from streams.markers import HANDOFF_TOOL
from streams.messages import brief
from streams.transcript import Transcript, Turn
from streams.values import Cut

MAX_TOKENS = 256
MAX_EXAMPLES = 8
NONE = "none"


def cut(transcript: Transcript, windows: Windows) -> list[Cut]:
    """Tool examples of one conversation, at most `MAX_EXAMPLES`, tools mixed; nothing where no tool is in sight."""
    offered = brief(transcript.conversation.tools)
    labelled = [*_from_labels(transcript, windows, offered)][:MAX_EXAMPLES]
    if labelled or not (transcript.calls or offered):
        return labelled
    label_set = f"tools:{space(transcript.conversation)}"
    chosen = varied([*_decisions(transcript)], MAX_EXAMPLES)
    return [
        Cut(
            task="tools",
            turn=turn.index,
            input=windows.all(turn.index, MAX_TOKENS),
            target=_target(turn),
            label=label,
            label_set=label_set,
            label_source="transcript",
            tools=offered,
            faults=_faults(turn, transcript),
        )
        for label, turn in chosen
    ]


def _decisions(transcript: Transcript) -> Iterator[tuple[str, Turn]]:
    first = transcript.customer[0].index if transcript.customer else len(transcript.turns)
    for turn in transcript.agent:
        if turn.index < first:
            continue
        if not turn.calls and turn.text.strip():
            yield NONE, turn
        elif turn.calls and turn.calls[0].arguments is not None:
            yield turn.calls[0].name, turn


def _faults(turn: Turn, transcript: Transcript) -> tuple[str, ...]:
    call = turn.calls[0] if turn.calls else None
    if call is None:
        return ()
    ends = turn.index == len(transcript.turns) - 1 and HANDOFF_TOOL.search(call.name)
    if call.result is None and not ends:
        return ("tool_unanswered",)
    return ("tool_failed",) if call.failed else ()


def _target(turn: Turn) -> Json:
    """The first of parallel calls: the others follow from it and do not change the choice."""
    return {"name": turn.calls[0].name, "arguments": turn.calls[0].arguments} if turn.calls else None


def _from_labels(transcript: Transcript, windows: Windows, offered: Tools | None) -> Iterator[Cut]:
    for label in labels_of(transcript, "tools"):
        if label.message is None or not _is_target(label.target):
            continue
        end = label.message + (transcript.turns[label.message].speaker != "agent")
        name = label.target["name"] if label.target else NONE
        context = windows.all(end, MAX_TOKENS)
        yield Cut("tools", label.message, context, label.target, name, label.label_set, label.source, offered)


def _is_target(target: Json) -> bool:
    return target is None or (isinstance(target, dict) and isinstance(target.get("name"), str))

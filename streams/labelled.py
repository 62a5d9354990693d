"""Labelled lines as examples.

Pure. A line is redacted like any conversation (spans follow the words), put into its bucket and on its side of
the split. Its provenance is the file: what was read, how, and which line; reading it again makes the same records.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.ids import content_hash, stable_id
from schemas.labelled import Labelled
from schemas.messages import text_of
from schemas.records import Conversation, Example, Json, Provenance, Split, Task
from schemas.split import BENCHMARK_SHARE, DEVELOPMENT_SHARE, split, split_unit
from streams.bucket import bucket_name, difficulty, input_hash, version
from streams.language import detect
from streams.partition import partition_of
from streams.redact import redact
from streams.settings import RedactSettings
from streams.values import Draft

DECOMPOSER = "labelled-2"
_NOWHERE = Provenance("file", "labels", 0, 0)


@dataclass(frozen=True, slots=True)
class LabelledSettings:
    """How labelled lines become examples; the shares apply where neither line nor `split` names a side.

    `label_set` and `split`, where given, override what the lines say.
    """

    redact: RedactSettings
    partitions: int
    label_set: str | None = None
    split: Split | None = None
    development_share: float = DEVELOPMENT_SHARE
    benchmark_share: float = BENCHMARK_SHARE


def example_of(labelled: Labelled, source: str, line: int, settings: LabelledSettings) -> Example:
    """The redacted, admitted example of a labelled line; `source` is the file's hash, `line` counts from 1."""
    label_set = settings.label_set or labelled.label_set
    name = _name(labelled)
    conversation_id = labelled.conversation_id or f"{label_set}/{name}"
    redacted = _redacted(labelled, conversation_id, settings.redact)
    context, target = redacted.messages, redacted.labels[0]["target"]
    text = text_of(context[-1])
    hardness, label = difficulty(labelled.task, context, target), bucket_label(labelled.task, target)
    language = detect(text)
    turn = len(context) - 1
    # The customer as production knows them, by the keyed hash: one person's lines and conversations are on one side, of
    # one key. Else the words as they were said, without the surrogates, so that a text's side depends on no key.
    unit = split_unit(redacted.customer_hash, labelled.conversation_id, text_of(labelled.messages[-1]))
    side = settings.split or labelled.split or split(unit, settings.development_share, settings.benchmark_share)
    return Example(
        example_id=stable_id(conversation_id, name, turn, labelled.task, label_set),
        task=labelled.task,
        conversation_id=redacted.conversation_id,
        revision=1,
        turn=turn,
        provenance=Provenance(
            "file", f"labels:{source}", partition_of(redacted.conversation_id.encode(), settings.partitions), line
        ),
        input=context,
        target=target,
        label_set=label_set,
        label_source="file",
        label=label,
        difficulty=hardness,
        language=language,
        origin="labelled",
        bucket=bucket_name(labelled.task, label, hardness, language, "labelled"),
        split=side,
        admitted=True,
        reasons=("labelled_file",),
        decomposer=version(DECOMPOSER),
        text_hash=input_hash(labelled.task, context),
        weight=labelled.weight,
        tenant=redacted.tenant,
        customer_hash=redacted.customer_hash,
        tools=redacted.tools,
    )


def _name(labelled: Labelled) -> str:
    """The line's own id, else its content's hash."""
    return content_hash([labelled.messages, labelled.target])[:32] if labelled.id is None else labelled.id


def _redacted(labelled: Labelled, conversation_id: str, settings: RedactSettings) -> Conversation:
    """The line as a conversation whose one label is the target: redaction knows how to move both."""
    label = {"task": labelled.task, "message": len(labelled.messages) - 1, "target": labelled.target}
    draft = Draft(
        conversation_id=conversation_id,
        revision=1,
        provenance=_NOWHERE,
        messages=labelled.messages,
        closed_by="conversation",
        events=1,
        tenant=labelled.tenant,
        customer_id=labelled.customer_id,
        tools=labelled.tools,
        labels=[label],
    )
    return redact(draft, settings)


def bucket_label(task: Task, target: Json) -> str:
    """The label that a target has in its bucket."""
    if task == "response":
        return "reply"
    if task == "tools":
        return "none" if target is None else str(target["name"])
    if task == "entities":
        return "+".join(sorted({str(span["label"]) for span in target})) or "none"
    if isinstance(target, str):
        return target
    return "+".join(sorted(target)) or ("safe" if task == "safety" else "out_of_scope")


def chained(example: Example, previous: dict[int, int]) -> Example:
    """The example with the line before it in its partition; `previous` holds the last line of each, and moves on."""
    at = example.provenance
    made = replace(example, provenance=replace(at, previous_offset=previous.get(at.partition)))
    previous[at.partition] = at.offset
    return made

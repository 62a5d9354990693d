"""Distill one conversation into its score and its examples: score, decompose, bucket, admit, in that order. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.ids import stable_id
from schemas.records import Conversation, Example, Provenance, Score, Split
from schemas.split import split, split_unit
from streams.admit import admit
from streams.bucket import bucket_name, difficulty, input_hash, version
from streams.decompose import DECOMPOSER, decompose
from streams.language import detect
from streams.score import score
from streams.settings import DistillSettings
from streams.transcript import Transcript, read
from streams.values import Cut, Distilled

LANGUAGE_TURNS = 8
"""Customer turns whose words tell the language: it is found once, since an id or a yes alone tells none."""


def distill(conversation: Conversation, settings: DistillSettings, previous_offset: int | None) -> Distilled:
    """Score and examples of a redacted conversation.

    They carry its root provenance; `previous_offset` is the root offset of the conversation before it in the partition,
    None for the first of a worker's session. Each output topic counts its own index from 0.
    """
    transcript = read(conversation)
    root = replace(conversation.provenance, index=0, previous_offset=previous_offset)
    scored = replace(score(transcript), provenance=root)
    finish = _Finish(conversation, scored, settings, _language(transcript), _split(conversation, settings))
    cuts = {(cut.task, cut.turn, cut.label_set): cut for cut in reversed(decompose(transcript))}
    examples = (finish.example(cut, index) for index, cut in enumerate(reversed(cuts.values())))
    return Distilled(scored, tuple(examples))


@dataclass(frozen=True, slots=True)
class _Finish:
    """What all examples of one conversation share."""

    conversation: Conversation
    score: Score
    settings: DistillSettings
    language: str
    split: Split

    def example(self, cut: Cut, index: int) -> Example:
        """The example of a cut, bucketed, split, admitted or not."""
        conversation = self.conversation
        min_quality = self.settings.min_quality.get(cut.task, self.settings.default_min_quality)
        admission = admit(cut, self.score, min_quality)
        root = self.score.provenance
        hardness = difficulty(cut.task, cut.input, cut.target)
        id_parts = (conversation.conversation_id, conversation.revision, cut.turn, cut.task, cut.label_set)
        return Example(
            example_id=stable_id(*id_parts),
            task=cut.task,
            conversation_id=conversation.conversation_id,
            revision=conversation.revision,
            turn=cut.turn,
            provenance=Provenance(
                root.cluster_id, root.topic, root.partition, root.offset, index, root.previous_offset, root.attempt
            ),
            input=cut.input,
            target=cut.target,
            label_set=cut.label_set,
            label_source=cut.label_source,
            label=cut.label,
            difficulty=hardness,
            language=self.language,
            origin="production",
            bucket=bucket_name(cut.task, cut.label, hardness, self.language, "production"),
            split=self.split,
            admitted=admission.admitted,
            reasons=admission.reasons,
            decomposer=version(DECOMPOSER),
            text_hash=input_hash(cut.task, cut.input),
            tenant=conversation.tenant,
            customer_hash=conversation.customer_hash,
            tools=cut.tools,
            quality=self.score.quality,
            scorer=self.score.scorer,
            occurred_at=conversation.ended_at,
        )


def _language(transcript: Transcript) -> str:
    return detect(" ".join(turn.text for turn in transcript.customer[:LANGUAGE_TURNS]))


def _split(conversation: Conversation, settings: DistillSettings) -> Split:
    unit = split_unit(conversation.customer_hash, conversation.conversation_id, "")
    return split(unit, settings.development_share, settings.benchmark_share)

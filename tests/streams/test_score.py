"""Signals and quality of conversations."""

from __future__ import annotations

import pytest

from schemas.records import Feedback, Outcome
from streams.score import WEIGHTS, failed, quality, score
from streams.transcript import read
from tests.streams.conversations import SHOPPING, agent, conversation, customer, result


def test_good_conversation_scores_high() -> None:
    """A finished, successful contact with tools that worked reaches 1."""
    scored = score(read(conversation(*SHOPPING, outcome=Outcome(success=True))))
    assert scored.quality == 1.0
    assert scored.failed is False


def test_unknown_is_none_never_zero() -> None:
    """What was not observed is None, and where nothing informative was, quality is None."""
    scored = score(read(conversation(customer("hello?"))))
    assert (scored.quality, scored.failed) == (None, None)
    assert scored.signals["outcome"] is scored.signals["tools_succeeded"] is None


@pytest.mark.parametrize(
    ("signal", "messages"),
    [
        ("tools_succeeded", [customer("a"), agent(None, find={}), result("find", "Error: no such user")]),
        ("calls_answered", [customer("a"), agent(None, find={}), agent("hm")]),
        ("calls_fresh", [customer("a"), agent(None, find={}), agent(None, find={})]),
        ("agent_spoke", [customer("a"), agent("")]),
        (
            "customer_heard",
            [customer("where is my parcel, please?"), agent("x"), customer("Where is my PARCEL, please?")],
        ),
        ("customer_calm", [customer("this is ridiculous"), agent("x")]),
        ("agent_helped", [customer("a"), agent("I'm sorry, I can't help with that.")]),
        ("kept_in_house", [customer("a"), agent(None, transfer_to_human_agents={})]),
        ("finished", [customer("a"), agent("b"), customer("and what about my refund?")]),
        ("concise", [customer("a"), *[agent("b")] * 130]),
    ],
)
def test_each_signal_falls(signal: str, messages: list[dict[str, object]]) -> None:
    """Each fault lowers its own signal."""
    value = score(read(conversation(*messages))).signals[signal]
    assert value is not None
    assert value < 1


def test_invalid_arguments_are_seen_with_and_without_a_schema() -> None:
    """Arguments that are no object, or lack what the offered tool requires, are invalid."""
    offered = [{"type": "function", "function": {"name": "find", "parameters": {"required": ["id"]}}}]
    call = agent(None, find={"name": "x"})
    assert score(read(conversation(customer("a"), call, tools=offered))).signals["arguments_valid"] == 0
    call["tool_calls"][0]["function"]["arguments"] = '{"id": 1'
    assert score(read(conversation(customer("a"), call))).signals["arguments_valid"] == 0


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (None, None),
        (Outcome(), None),
        (Outcome(success=False, reward=1.0), True),
        (Outcome(reward=0.0), True),
        (Outcome(reward=1.0), False),
        (Outcome(reward=0.5), None),
        (Outcome(reason="agent_error"), True),
        (Outcome(reason="user_stop"), None),
    ],
)
def test_failed_follows_verdict_then_reward_then_reason(outcome: Outcome | None, expected: bool | None) -> None:
    """The source's verdict wins; a reward between 0 and 1 decides nothing."""
    assert failed(outcome) is expected


def test_feedback_counts_on_known_scales_only() -> None:
    """A rating of unknown scale is unknown, not clipped."""
    ratings = (Feedback("csat", "float", 5.0), Feedback("thumbs", "boolean", False), Feedback("mood", "float", 42.0))
    assert score(read(conversation(*SHOPPING, feedback=ratings))).signals["feedback"] == 0.5


def test_quality_is_the_weighted_mean_of_what_is_known() -> None:
    """Only observed signals weigh."""
    signals: dict[str, float | None] = {**dict.fromkeys(WEIGHTS, None), "outcome": 0.0, "agent_spoke": 1.0}
    assert quality(signals) == round(1 / 9, 4)

"""Nothing that passes the edge may stop the worker: odd but legal events go all the way."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.records import Conversation, Example
from streams.assemble import Assembler
from streams.distill import distill
from streams.redact import redact
from streams.settings import AssembleSettings, DistillSettings, RedactSettings
from streams.values import Arrived
from tests.streams.test_depth import within

SECRET = RedactSettings(b"a key for tests only, 32 bytes..")
TEXT = st.text(max_size=30) | st.sampled_from(
    [
        "",
        "{",
        '{"email": "a.b@corp.com"}',
        "[[1]]",
        "Hi Mia Li,",
        "May 32nd 2024",
        "4111111111111111",
        "Error",
        "\u202e\x00",
        "[" * 300 + "]" * 300,
        '{"a":' * 1000 + "1" + "}" * 1000,
        within(9),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
FUNCTION = st.fixed_dictionaries({"name": TEXT}, optional={"arguments": JSON | st.just("{}")})
CALL = st.fixed_dictionaries({"function": FUNCTION}, optional={"id": JSON, "type": JSON})
CONTENT = st.none() | TEXT | st.lists(JSON | st.fixed_dictionaries({"type": st.just("text"), "text": JSON}), max_size=3)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"])},
    optional={
        "content": CONTENT,
        "tool_calls": st.none() | st.lists(CALL, max_size=2),
        "tool_call_id": JSON,
        "error": JSON,
        "refusal": JSON,
        "content_filter_results": JSON,
        "name": JSON,
    },
)
LABEL = st.fixed_dictionaries(
    {"task": st.sampled_from(["intent", "entities", "response", "tools", "safety"]), "target": JSON},
    optional={"message": st.just(0), "label_set": JSON, "source": JSON},
)
EVENT = st.fixed_dictionaries(
    {
        "event_id": st.just("e1"),
        "conversation_id": st.just("c1"),
        "kind": st.just("conversation"),
        "messages": st.lists(MESSAGE, min_size=1, max_size=6),
    },
    optional={
        "labels": st.lists(LABEL, max_size=4),
        "tools": st.none() | st.lists(st.dictionaries(TEXT, JSON, max_size=2), max_size=2),
        "customer_id": TEXT,
        "metadata": st.dictionaries(TEXT, TEXT, max_size=2),
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(EVENT)
def test_legal_events_pass_every_step(event: dict[str, Any]) -> None:
    """An event is rejected as a value, or becomes a conversation, a score and examples that fit their schemas."""
    arrived = Arrived(0, 0, b"c1", orjson.dumps(event), {"content-type": b"application/json"})
    step = Assembler("k1", 0, AssembleSettings()).take(arrived)
    if step.draft is None:
        assert step.rejected is not None
        return
    conversation = codec.decode(codec.encode(redact(step.draft, SECRET)), Conversation)
    distilled = distill(conversation, DistillSettings(), None)
    codec.encode(distilled.score)
    for example in distilled.examples:
        assert codec.decode(codec.encode(example), Example) == example

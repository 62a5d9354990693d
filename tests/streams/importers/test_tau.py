"""The tau importers agree with the files' own figures, lose nothing and guess nothing."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.records import ConversationEvent
from streams.errors import ImportFault
from streams.importers.audit import FileAudit, audit
from streams.importers.source import Found, events_in
from streams.importers.tau2_bench import read_tau2_bench
from streams.importers.tau_bench import read_tau_bench
from tests.streams.importers.shared import DATA, needs_data

TAU = ("gpt-4o-airline", "pr_grok-3-retail")
TAU2 = tuple(sorted(file.name for file in (DATA / "tau2-bench" / "dev").glob("*.json")))
pytestmark = [needs_data, pytest.mark.shared_data]


@cache
def _found(name: str) -> tuple[Found, ...]:
    """All conversations of a file, none of which is a fault."""
    folder, read = (
        ("tau-bench", read_tau_bench) if name.removesuffix(".json") in TAU else ("tau2-bench", read_tau2_bench)
    )
    found = list(read(DATA / folder / "dev" / name))
    assert not [item for item in found if isinstance(item, ImportFault)]
    return tuple(item for item in found if isinstance(item, Found))


def _events(name: str) -> list[ConversationEvent]:
    return list(events_in(_found(name)))


@cache
def _raw(name: str) -> Any:
    folder = "tau-bench" if name.removesuffix(".json") in TAU else "tau2-bench"
    return json.loads((DATA / folder / "dev" / name).read_text(encoding="utf-8"))


def _audit(name: str) -> FileAudit:
    return audit(name, _found(name))


def _agent_messages(simulation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the model said: every agent message but the environment's greeting."""
    return (m for m in simulation["messages"][1:] if m["role"] == "assistant")


def test_all_469_conversations_and_25_records_are_there() -> None:
    """Nothing is lost between the files and the events, and every id is used once."""
    names = [*(f"{stem}.json" for stem in TAU), *TAU2]
    events = [event for name in names for event in _events(name)]
    assert len(events) == 469
    assert len({event.event_id for event in events}) == len({event.conversation_id for event in events}) == 469
    assert len(_events("sierra_sft-v1-small.jsonl")) == 25


@pytest.mark.parametrize(("name", "field"), [(TAU[0], "reward"), (TAU[1], "base_success")])
def test_tau_rewards_are_the_files(name: str, field: str) -> None:
    """The sum of rewards is the file's; for the composite fork it is that of `base_success`."""
    records = _raw(f"{name}.json")
    rewards = [r["reward"] if field == "reward" else r["info"]["reward_info"]["components"][field] for r in records]
    found = _audit(f"{name}.json")
    assert (found.conversations, found.rewards, found.rewards_unknown) == (len(records), sum(rewards), 0)
    assert (found.cost_usd, found.prompt_tokens, found.duration_s) == (None, None, None)


@pytest.mark.parametrize("name", TAU)
def test_tau_messages_are_verbatim(name: str) -> None:
    """Trajectories are OpenAI form already."""
    raw = [record["traj"] for record in _raw(f"{name}.json")]
    assert [event.messages for event in _events(f"{name}.json")] == raw


@pytest.mark.parametrize("name", TAU2)
def test_tau2_rewards_costs_and_tokens_are_the_files(name: str) -> None:
    """Sums agree with the file; a cost of 0 and an absent one are unknown; so are tokens where one call lacks them."""
    simulations = _raw(name)["simulations"]
    found = _audit(name)
    assert found.rewards == sum(s["reward_info"]["reward"] for s in simulations)
    costs = [s.get("agent_cost") for s in simulations]
    assert found.cost_usd == (pytest.approx(sum(filter(None, costs))) if any(costs) else None)
    assert found.costs_unknown == sum(not cost for cost in costs)
    used: list[list[Any]] = [[m.get("usage") for m in _agent_messages(s)] for s in simulations]
    known = [usages for usages in used if usages and all(usages)]
    assert found.tokens_unknown == len(simulations) - len(known)
    prompt = sum(usage["prompt_tokens"] for usages in known for usage in usages)
    completion = sum(usage["completion_tokens"] for usages in known for usage in usages)
    assert (found.prompt_tokens, found.completion_tokens) == ((prompt, completion) if known else (None, None))


@pytest.mark.parametrize("name", TAU2)
def test_tau2_loses_no_message_and_no_call(name: str) -> None:
    """The policy comes first, then every message; calls keep id, name, arguments; results their call and error flag."""
    raw = _raw(name)
    for event, simulation in zip(_events(name), raw["simulations"], strict=True):
        assert event.messages[0] == {"role": "system", "content": raw["info"]["environment_info"]["policy"]}
        for ours, theirs in zip(event.messages[1:], simulation["messages"], strict=True):
            assert ours["role"] == theirs["role"]
            calls = [
                (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
                for c in ours.get("tool_calls", ())
            ]
            assert calls == [(c["id"], c["name"], c["arguments"]) for c in theirs.get("tool_calls") or ()]
            if ours["role"] == "tool":
                assert (ours["tool_call_id"], ours["content"]) == (theirs["id"], theirs["content"])
                assert ours.get("error") == theirs.get("error")


@pytest.mark.parametrize("name", [name for name in TAU2 if "toolorch" in name])
def test_placeholders_are_unknown(name: str) -> None:
    """A constant start and duration say nothing, nor does the task they stand beside; rewards stay."""
    for event in _events(name):
        assert (event.started_at, event.occurred_at, event.usage) == (None, None, ())
        assert "task_id" not in event.metadata
        assert event.outcome is not None
        assert event.customer_id is not None


@pytest.mark.parametrize("name", [name for name in TAU2 if "toolorch" in name])
def test_wrapped_words_are_unwrapped(name: str) -> None:
    """The agent's JSON becomes text that says all of it; what is no valid JSON stays as it is."""
    for event, simulation in zip(_events(name), _raw(name)["simulations"], strict=True):
        for ours, theirs in zip(event.messages[1:], simulation["messages"], strict=True):
            if ours["role"] != "assistant" or not (theirs["content"] or "").lstrip().startswith("{"):
                assert ours["content"] == theirs["content"]
                continue
            for leaf in _leaves(theirs["content"]):
                assert leaf in ours["content"]


def _leaves(text: str) -> Iterator[str]:
    try:
        values = [json.loads(text)]
    except json.JSONDecodeError:
        return
    while values:
        value = values.pop()
        if isinstance(value, (dict, list)):
            values += list(value.values()) if isinstance(value, dict) else value
        elif isinstance(value, str):
            yield value


def test_a_tool_call_written_as_words_stays_as_it_is() -> None:
    """One JSON text among plain ones is what the model said."""
    texts = [
        m["content"] for e in _events("sierra_qwen2.5-7b_airline.json") for m in e.messages if m["role"] == "assistant"
    ]
    assert any(text.startswith('{\n  "name": "get_user_details"') for text in texts)


def test_text_and_call_stay_in_one_message() -> None:
    """Opus says something and calls a tool: one message."""
    messages = [m for e in _events("pr168_button_airline_opus46.json") for m in e.messages]
    assert sum(bool(m.get("content")) and bool(m.get("tool_calls")) for m in messages) == 67


def test_errors_of_the_agent_and_empty_messages_are_kept() -> None:
    """Qwen's failed runs end with an empty message and say why."""
    failed = [e for e in _events("sierra_qwen2.5-7b_airline.json") if e.outcome and e.outcome.reason == "agent_error"]
    assert len(failed) == 5
    assert all(event.messages[-1]["content"] == "" for event in failed)


def test_usage_of_a_message_names_the_right_message() -> None:
    """Indexes count the policy too."""
    for event in _events("sierra_gpt-4.1_airline.json"):
        indexes = [usage.message for usage in event.usage if usage.message is not None]
        assert indexes
        assert {event.messages[index]["role"] for index in indexes} == {"assistant"}


def test_customers_are_known_where_they_are_certain() -> None:
    """Every file names each customer, and the same person has the same id across benchmarks."""
    assert _audit("gpt-4o-airline.json").customers_unknown == 0
    assert sum(_audit(name).customers_unknown for name in TAU2) == 0
    retail = {event.customer_id for event in _events("pr_grok-3-retail.json")}
    assert retail & {event.customer_id for event in _events("sierra_gpt-4.1_retail.json")}


def test_sft_records_have_no_reward() -> None:
    """They were chosen by their reward, so it measures nothing: no outcome, tools as the file has them."""
    events = _events("sierra_sft-v1-small.jsonl")
    assert all(event.outcome is None and event.tools and event.metadata["reward"] == "1.0" for event in events)
    assert _audit("sierra_sft-v1-small.jsonl").without_outcome == 25


def test_no_secret_of_a_run_is_imported() -> None:
    """Arguments of the model's client (addresses, keys) stay in the file."""
    assert not any("tokenfactory" in repr(event) for event in _events("pr133_gpt-oss-120b_airline.json"))


def test_a_second_import_is_the_same(tmp_path: Path) -> None:
    """Ids do not depend on when or from which folder a file is read."""
    name = "sierra_gpt-4.1_airline.json"
    copy = tmp_path / "dev" / name
    copy.parent.mkdir()
    copy.write_bytes((DATA / "tau2-bench" / "dev" / name).read_bytes())
    (tmp_path / "tools").symlink_to(DATA / "tau2-bench" / "tools")
    assert list(events_in(read_tau2_bench(copy))) == _events(name)

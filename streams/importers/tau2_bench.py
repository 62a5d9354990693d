"""tau2-bench result files: {info, tasks, simulations}; and the SFT records (JSONL) of the same project.

Tool calls are flattened there and become OpenAI form here. A file is looked at as a whole first: where every simulation
has the same start and duration, these and the task ids are placeholders; where most agent texts are JSON objects, the
agent wraps its words. An exact cost of 0 means unpriced; a greeting that the environment wrote is no model call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas import edge
from schemas.errors import InvalidRecord
from schemas.fields import count, microseconds, need, number, optional, priced, texts
from schemas.records import ConversationEvent, Message, Messages, Outcome, Tools, Usage
from streams.errors import ImportFault
from streams.events import with_content_id
from streams.importers.customers import customer_of, ids_in
from streams.importers.openai_chat import read_openai_chat
from streams.importers.source import Found, read_json
from streams.importers.wrapped import unwrapped, wraps


@dataclass(frozen=True, slots=True)
class Run:
    """What one file says about all its simulations."""

    file: Path
    domain: str | None
    model: str | None
    policy: str | None
    tools: Tools | None
    stated: dict[str, set[str]]
    placeholders: bool
    wrapped: bool


def read_tau2_bench(file: Path) -> Iterator[Found | ImportFault]:
    """The conversations of one result file, or of one JSONL file of SFT records (these without outcome).

    Raises:
        ImportFault: the file is neither, or holds none.
    """
    if file.suffix == ".jsonl":
        yield from read_openai_chat(file)
        return
    raw = read_json(file)
    try:
        simulations = need(raw, "simulations", list)
        run = _run(file, raw, simulations)
    except InvalidRecord as error:
        raise ImportFault(file, None, f"is no tau2-bench result file: {error}") from error
    if not simulations:
        raise ImportFault(file, None, "holds no simulation: its list is empty; give a file with results")
    for index, simulation in enumerate(simulations):
        try:
            event = with_content_id(edge.check(_conversation(run, simulation)))
        except InvalidRecord as error:
            yield ImportFault(file, None, f"simulation {index}: {error}")
        else:
            yield Found(event, str(file), item=f"simulation {index}")


def _run(file: Path, raw: dict[str, Any], simulations: list[Any]) -> Run:
    info = need(raw, "info", dict)
    environment = optional(info, "environment_info", dict) or {}
    domain = optional(environment, "domain_name", str)
    placeholders = _are_placeholders(simulations)
    # Where times and tasks are a template's, so is the model's name.
    model = None if placeholders else optional(optional(info, "agent_info", dict) or {}, "llm", str)
    tasks = [] if placeholders else optional(raw, "tasks", list) or []
    return Run(
        file=file,
        domain=domain,
        model=model,
        policy=optional(environment, "policy", str),
        tools=_tools(file, domain),
        stated={str(task.get("id")): ids_in(json.dumps(task.get("user_scenario"))) for task in tasks},
        placeholders=placeholders,
        wrapped=wraps([message for s in simulations for message in optional(s, "messages", list) or ()]),
    )


def _are_placeholders(simulations: list[Any]) -> bool:
    times = {(need(s, "start_time", str), number(s, "duration")) for s in simulations}
    return len(simulations) > 1 and len(times) == 1


def _tools(file: Path, domain: str | None) -> Tools | None:
    """The tools of the domain, where the benchmark's `tools` folder lies beside the file or its folder."""
    for folder in (file.parent, file.parent.parent):
        listed = folder / "tools" / f"{domain}.tools.json"
        if domain and listed.is_file():
            tools = read_json(listed)
            return tools if isinstance(tools, list) else None
    return None


def _conversation(run: Run, simulation: Any) -> ConversationEvent:
    policy: Messages = [] if run.policy is None else [{"role": "system", "content": run.policy}]
    raw = need(simulation, "messages", list)
    messages = policy + _messages(raw, unwrap=run.wrapped)
    task_id = None if run.placeholders else simulation.get("task_id")
    trial = None if run.placeholders else simulation.get("trial")
    return ConversationEvent(
        event_id="unset",
        conversation_id=f"{run.file.stem}/{need(simulation, 'id', str)}",
        kind="conversation",
        sequence=0,
        started_at=None if run.placeholders else microseconds(simulation, "start_time"),
        occurred_at=None if run.placeholders else microseconds(simulation, "end_time"),
        customer_id=customer_of(messages, run.stated.get(str(task_id), set())),
        variant=run.model or run.file.stem,
        messages=messages,
        tools=run.tools,
        usage=_usage(run, simulation, raw, len(policy)),
        outcome=_outcome(simulation),
        metadata=texts(source_file=run.file.name, task_id=task_id, trial=trial, domain=run.domain),
    )


def _outcome(simulation: dict[str, Any]) -> Outcome:
    reward = number(optional(simulation, "reward_info", dict) or {}, "reward")
    success = None if reward is None else reward == 1
    return Outcome(success, reward, optional(simulation, "termination_reason", str))


def _messages(raw: list[Any], *, unwrap: bool) -> Messages:
    """The messages in OpenAI form; a tool's result carries the name of the open call that it answers."""
    names: dict[str, str] = {}
    messages = []
    for message in raw:
        if need(message, "role", str) == "tool":
            messages.append(_result(message, names))
            continue
        said: Message = {"role": message["role"], "content": message.get("content")}
        if unwrap and message["role"] == "assistant":
            said["content"] = unwrapped(said["content"])
        if calls := optional(message, "tool_calls", list):
            said["tool_calls"] = [_call(call) for call in calls]
            names.update({call["id"]: call["name"] for call in calls})
        messages.append(said)
    return messages


def _call(call: Any) -> dict[str, Any]:
    arguments = call.get("arguments") if isinstance(call, dict) else None
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    function = {"name": need(call, "name", str), "arguments": text}
    return {"id": need(call, "id", str), "type": "function", "function": function, **_requestor(call)}


def _result(message: dict[str, Any], names: dict[str, str]) -> Message:
    call_id = need(message, "id", str)
    result: Message = {"role": "tool", "tool_call_id": call_id, "content": message.get("content")}
    if call_id in names:
        result["name"] = names[call_id]
    if message.get("error") is not None:
        result["error"] = need(message, "error", bool)
    return result | _requestor(message)


def _requestor(raw: dict[str, Any]) -> dict[str, str]:
    """Calls that the customer made with their own device are marked: they teach the agent nothing."""
    return {"requestor": "user"} if raw.get("requestor") == "user" else {}


def _usage(run: Run, simulation: dict[str, Any], raw: list[Any], shift: int) -> tuple[Usage, ...]:
    """What each agent message consumed, then the whole contact (message None)."""
    made = [(i, m) for i, m in enumerate(raw) if m["role"] == "assistant" and not _is_greeting(i, m)]
    each = [_message_usage(run, index + shift, message) for index, message in made]
    duration = None if run.placeholders else number(simulation, "duration")
    total = Usage(
        model=run.model,
        prompt_tokens=_sum([usage.prompt_tokens for usage in each]),
        completion_tokens=_sum([usage.completion_tokens for usage in each]),
        cost_usd=priced(simulation, "agent_cost"),
        latency_ms=None if duration is None else duration * 1000,
    )
    return tuple(usage for usage in [*each, total] if _is_known(usage))


def _is_greeting(index: int, message: dict[str, Any]) -> bool:
    return index == 0 and message.get("usage") is None and not message.get("raw_data") and not message.get("tool_calls")


def _message_usage(run: Run, index: int, message: dict[str, Any]) -> Usage:
    used = optional(message, "usage", dict) or {}
    return Usage(
        message=index,
        model=run.model,
        prompt_tokens=count(used, "prompt_tokens"),
        completion_tokens=count(used, "completion_tokens"),
        cost_usd=priced(message, "cost"),
    )


def _sum(counts: list[int | None]) -> int | None:
    """The sum, unknown unless every part is known."""
    known = [value for value in counts if value is not None]
    return sum(known) if counts and len(known) == len(counts) else None


def _is_known(usage: Usage) -> bool:
    figures = (usage.prompt_tokens, usage.completion_tokens, usage.cost_usd, usage.latency_ms)
    return any(figure is not None for figure in figures)

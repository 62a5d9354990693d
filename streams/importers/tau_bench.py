"""tau-bench trajectories: a JSON list of {task_id, trial, reward, info, traj}; `traj` is exact OpenAI chat form.

The files name neither model, times, costs nor tokens of the agent: all stay null. Where a fork's reward is a composite,
the outcome is its `base_success`; the composite stays in the metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from schemas import edge
from schemas.errors import InvalidRecord
from schemas.fields import need, number, optional, texts
from schemas.records import ConversationEvent, Outcome
from streams.errors import ImportFault
from streams.events import with_content_id
from streams.importers.customers import customer_of
from streams.importers.source import Found, read_json

DOMAINS = ("airline", "retail", "telecom")


def read_tau_bench(file: Path) -> Iterator[Found | ImportFault]:
    """The conversations of one trajectory file.

    Raises:
        ImportFault: the file is no such list, or an empty one.
    """
    records = read_json(file)
    if not isinstance(records, list):
        raise ImportFault(file, None, "is no list of trajectories; is it a tau2-bench file?")
    if not records:
        raise ImportFault(file, None, "holds no trajectory: its list is empty; give a file with results")
    for index, record in enumerate(records):
        try:
            event = with_content_id(edge.check(_conversation(file, record)))
        except InvalidRecord as error:
            yield ImportFault(file, None, f"trajectory {index}: {error}")
        else:
            yield Found(event, str(file), item=f"trajectory {index}")


def domain_of(file: Path) -> str | None:
    """The one tau domain that a file's name mentions."""
    found = [domain for domain in DOMAINS if domain in file.stem]
    return found[0] if len(found) == 1 else None


def _conversation(file: Path, record: Any) -> ConversationEvent:
    info = need(record, "info", dict)
    task_id, trial = need(record, "task_id", int), need(record, "trial", int)
    messages = need(record, "traj", list)
    user_id = optional(optional(info, "task", dict) or {}, "user_id", str)
    return ConversationEvent(
        event_id="unset",
        conversation_id=f"{file.stem}/{task_id}-{trial}",
        kind="conversation",
        sequence=0,
        customer_id=customer_of([], {user_id}) if user_id else None,
        variant=file.stem,
        messages=messages,
        outcome=_outcome(record, info),
        metadata={
            **texts(source_file=file.name, task_id=task_id, trial=trial, domain=domain_of(file)),
            **_composite(record, info),
        },
    )


def _components(info: dict[str, Any]) -> dict[str, Any]:
    return optional(optional(info, "reward_info", dict) or {}, "components", dict) or {}


def _outcome(record: dict[str, Any], info: dict[str, Any]) -> Outcome | None:
    composite = _components(info)
    reward = number(composite, "base_success") if composite else number(record, "reward")
    success = None if reward is None else reward == 1
    return Outcome(success, reward, optional(info, "source", str))


def _composite(record: dict[str, Any], info: dict[str, Any]) -> dict[str, str]:
    return texts(composite_reward=record.get("reward")) if _components(info) else {}

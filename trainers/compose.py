"""Chooses a batch out of a pool: fresh examples mixed with replay, nothing of the held-out sides, nothing twice.

Pure and deterministic: the same pool, policy and needs give the same batch in the same order, however the pool was
ordered. Where all candidates fit, needs become weights; where room is short, needs decide who gets in.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from schemas.ids import content_hash, share, text_hash
from schemas.records import Task
from trainers.batches import Batch, Policy
from trainers.errors import MixedBatch
from trainers.gaps import NO_NEEDS, Needs
from trainers.held_out import HeldOut
from trainers.items import Item
from trainers.pool import Pool


def compose(pool: Pool, policy: Policy, needs: Needs = NO_NEEDS) -> Batch:
    """The batch of a pool under a policy.

    Raises:
        MixedBatch: the pool holds another task than the policy's.
    """
    _refuse_mixture((*pool.fresh, *pool.older), policy.task)
    left_out: Counter[str] = Counter()
    held = HeldOut.of(
        benchmark=pool.benchmark,
        store_benchmark=pool.reserved,
        development=pool.development,
        calibration=pool.calibration,
    )
    seen: set[tuple[str, str]] = set()
    fresh = list(_clean(pool.fresh, held, seen, left_out))
    older = list(_clean(pool.older, held, seen, left_out))
    chosen = _choose(fresh, older, policy, needs)
    left_out["no_room"] += len(fresh) + len(older) - len(chosen)
    fresh_ids = {item.id for item in fresh}
    return Batch(
        policy=policy,
        items=tuple(sorted(chosen, key=lambda item: (share(item.id, f"order-{policy.seed}"), item.id))),
        fresh=sum(item.id in fresh_ids for item in chosen),
        watermark=pool.watermark,
        query=pool.query,
        left_out={reason: n for reason, n in sorted(left_out.items()) if n},
        gaps=needs.gaps,
    )


def _clean(items: Sequence[Item], held: HeldOut, seen: set[tuple[str, str]], left_out: Counter[str]) -> Iterable[Item]:
    for item in sorted(items, key=lambda item: item.id):
        key = text_hash(item.text), content_hash(item.target)
        reason = "duplicate" if key in seen else held.reason(item)
        if reason:
            left_out[reason] += 1
        else:
            seen.add(key)
            yield item


def _choose(fresh: list[Item], older: list[Item], policy: Policy, needs: Needs) -> list[Item]:
    """Older items get their share of the room, and whatever fresh ones leave: a version is trained from the base."""
    if len(fresh) + len(older) <= policy.max_items and policy.max_per_label is None:
        return [replace(item, weight=item.weight * needs.of(item)) for item in (*fresh, *older)]
    for_older = min(len(older), max(round(policy.max_items * policy.replay_share), policy.max_items - len(fresh)))
    kept = _fill(fresh, policy.max_items - for_older, policy, needs)
    return kept + _fill(older, policy.max_items - len(kept), policy, needs)


def _fill(items: list[Item], room: int, policy: Policy, needs: Needs) -> list[Item]:
    """Fill the room label by label, the rarest whole, the frequent ones cut to one level (times their need)."""
    by_label: dict[str, list[Item]] = defaultdict(list)
    for item in sorted(items, key=lambda item: _priority(item, policy, needs)):
        by_label[item.label].append(item)
    kept: list[Item] = []
    need = {label: math.fsum(map(needs.of, group)) / len(group) for label, group in by_label.items()}
    weight_left = math.fsum(need.values())
    for label in sorted(by_label, key=lambda label: (len(by_label[label]) / need[label], label)):
        level = round((room - len(kept)) * need[label] / weight_left)
        cap = level if policy.max_per_label is None else min(level, policy.max_per_label)
        kept += by_label[label][:cap]
        weight_left -= need[label]
    return kept


def _priority(item: Item, policy: Policy, needs: Needs) -> tuple[float, str]:
    """Lowest first: weighted sampling without replacement (Efraimidis & Spirakis 2006), by hash instead of chance."""
    return -math.log(1.0 - share(item.id, f"choose-{policy.seed}")) / needs.of(item), item.id


def _refuse_mixture(items: Sequence[Item], task: Task) -> None:
    if other := next((item for item in items if item.task != task), None):
        raise MixedBatch(
            f"item {other.id!r} is of task {other.task}, the batch of {task}; select one task and label set"
        )

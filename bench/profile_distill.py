"""`python -m bench.profile_distill [ROUNDS]`: where the distill path spends its time, function by function.

The bare loop of `bench.distill` over every public conversation (else simulated ones), first with a clock only, then
under cProfile: the ten functions with the most time of their own. The profiler slows small Python functions down more
than C ones, so its shares are a map; the clock is the measure.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
from pathlib import Path

from bench.distill import bare_loop, whole_conversations
from schemas import codec

TOP = 10
ROOT = Path(__file__).parents[1]


def main() -> None:
    """Measure, profile, print the table and one JSON line."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    source, conversations = whole_conversations()
    values = [codec.encode(conversation) for conversation in conversations]
    rates = max((bare_loop(values) for _ in range(rounds)), key=lambda one: one.per_cpu_s)
    profiler = cProfile.Profile()
    profiler.runcall(bare_loop, values)
    rows = top(pstats.Stats(profiler), len(values))
    print(f"{source}: {len(values)} conversations, {sum(map(len, values)) // len(values)} bytes each")
    print(f"{rates.per_cpu_s:.0f} conversations a CPU second without the profiler\n")
    print(f"{'own µs':>8} {'share':>6} {'calls':>7}  function (each conversation)")
    for own_us, share, calls, name in rows:
        print(f"{own_us:8.1f} {share:6.1%} {calls:7.1f}  {name}")
    print(json.dumps({"source": source, "per_cpu_s": round(rates.per_cpu_s), "top": [row[3] for row in rows]}))


def top(stats: pstats.Stats, count: int) -> list[tuple[float, float, float, str]]:
    """(own microseconds, share, calls, function) for each conversation, the most time first."""
    total: float = stats.total_tt  # type: ignore[attr-defined]
    raw = stats.stats  # type: ignore[attr-defined]
    rows = [(own, own / total, calls, place(*where)) for where, (_, calls, own, _, _) in raw.items()]
    return [
        (own / count * 1e6, share, calls / count, name) for own, share, calls, name in sorted(rows)[: -TOP - 1 : -1]
    ]


def place(file: str, line: int, name: str) -> str:
    """A function as one reads it: its file in the project, or what it is built into."""
    path = Path(file)
    if path.is_relative_to(ROOT):
        return f"{path.relative_to(ROOT)}:{line} {name}"
    return name if file == "~" else f"{path.name} {name}"


if __name__ == "__main__":
    main()

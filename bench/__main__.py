"""Runs every benchmark one after the other: `make bench`. Each is a module of its own and prints its own table."""

from __future__ import annotations

import subprocess
import sys

MODULES = (
    "bench.steps",
    "bench.distill",
    "bench.assemble",
    "bench.sink",
    "bench.clickhouse_http",
    "bench.training",
    "bench.transit",
    "bench.freshness",
    "bench.recovery",
    "bench.linear",
)


def main() -> int:
    """Run the named benchmarks, or all, each in a process of its own, for a worker ends its. 1 = one of them failed."""
    failed = [name for name in sys.argv[1:] or MODULES if not _ran(name)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _ran(name: str) -> bool:
    print(f"== {name}", flush=True)
    module = name if name.startswith("bench.") else f"bench.{name}"
    return subprocess.run([sys.executable, "-m", module], check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs every benchmark one after the other: `make bench`. Each is a module of its own and prints its own table."""

from __future__ import annotations

import runpy
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


def main() -> None:
    """Run the named benchmarks, or all."""
    for name in sys.argv[1:] or MODULES:
        print(f"== {name}", flush=True)
        module = name if name.startswith("bench.") else f"bench.{name}"
        sys.argv = [module]
        runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main()

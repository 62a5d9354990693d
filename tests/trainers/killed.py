"""A process that publishes and kills itself (SIGKILL) at a named point, or goes on until killed; see test_publish."""

import os
import signal
import sys
from pathlib import Path

from sinks.registry import open_registry
from tests.adapters import FileAnnouncer, event
from trainers.publish import ADAPTER, Publisher

UNTIL_KILLED = "until killed"


def main(folder: Path, point: str) -> None:
    """Publish, and die at the point."""

    def reached(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    publisher = Publisher(
        open_registry(f"file://{folder}/registry"), FileAnnouncer(folder / "announced"), folder / "work", reached
    )
    _publish(publisher)
    while point == UNTIL_KILLED:
        print("published", flush=True)
        _publish(publisher)


def _publish(publisher: Publisher) -> None:
    number = publisher.registry.next_number("intent")
    with publisher.staging(f"run-{number}") as stage:
        (stage / ADAPTER / "adapter_model.safetensors").write_bytes(b"weights" * number)
        publisher.publish(stage, event(f"intent-{number:05d}-x", at=number), "pass")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""A process that publishes one version and kills itself (SIGKILL) at a named point; started by test_publish."""

import os
import signal
import sys
from pathlib import Path

from sinks.registry import open_registry
from tests.adapters import FileAnnouncer, event
from trainers.publish import ADAPTER, Publisher


def main(folder: Path, point: str) -> None:
    """Publish, and die at the point."""

    def reached(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    registry = open_registry(f"file://{folder}/registry")
    publisher = Publisher(registry, FileAnnouncer(folder / "announced"), folder / "work", reached)
    with publisher.staging("run-1") as stage:
        (stage / ADAPTER / "adapter_model.safetensors").write_bytes(b"weights")
        draft = event("intent-00001-x", at=registry.next_number("intent"))
        publisher.publish(stage, draft, "pass")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""A serving layer in twenty lines: prints the load and unload calls that keep it on the champions.

Run it beside a running stack: `python examples/subscribe.py 127.0.0.1:19092 .still/registry`
"""

import sys
from pathlib import Path

from schemas.records import ModelEvent
from serving.model_events import KafkaEvents
from serving.subscriber import Subscriber
from sinks.registry import open_registry


class Printer:
    """An engine that only says what it would do."""

    def load(self, name: str, folder: Path, event: ModelEvent) -> None:
        """Print the call."""
        print(f"load {name} from {folder} on {event.base_model}", flush=True)

    def unload(self, name: str) -> None:
        """Print the call."""
        print(f"unload {name}", flush=True)


with KafkaEvents(sys.argv[1]) as events:
    Subscriber(events, open_registry(sys.argv[2]), Printer(), Path(".still/adapters")).run(stopped=lambda: False)

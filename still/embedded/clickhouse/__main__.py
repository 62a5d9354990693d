"""`python -m still.embedded.clickhouse --path DIR --port N`: the engine as a process of its own.

Prints one JSON line when it answers; SIGTERM lets running statements finish, then closes the engine.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from still.embedded.clickhouse.engine import Engine
from still.embedded.clickhouse.server import ClickHouseServer
from still.embedded.errors import FolderHeldError
from still.embedded.lock import folder_lock
from still.embedded.parent import die_with_parent

LOCK_NAME = "clickhouse.lock"
# Together under the supervisor's 10 s.
FINISH_S = 6.0
CANCEL_S = 2.0


def main() -> int:
    """Runs until SIGTERM or SIGINT; exit status 0 after a clean stop, 2 when the folder is held."""
    parser = argparse.ArgumentParser(description="Serve the embedded ClickHouse engine on loopback.")
    parser.add_argument("--path", type=Path, required=True, help="data folder; one process at a time owns it")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one; the ready line names it")
    parser.add_argument("--parent", type=int, help="process id whose end ends this process")
    arguments = parser.parse_args()
    if arguments.parent is not None:
        die_with_parent(arguments.parent)
    try:
        with folder_lock(arguments.path, LOCK_NAME):
            serve(arguments.path, arguments.port)
    except FolderHeldError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def serve(folder: Path, port: int) -> None:
    """Serves `folder` until a signal comes; the caller holds the folder's lock."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    spool = folder / "spool"
    shutil.rmtree(spool, ignore_errors=True)  # left by a kill -9
    spool.mkdir()
    engine = Engine(folder / "data")
    server = ClickHouseServer(port, engine, spool)
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    print(json.dumps({"ready": True, "port": server.server_port, "pid": os.getpid()}), flush=True)
    stop.wait()
    server.stop_taking()
    if not server.wait_until_idle(FINISH_S):
        engine.cancel_all()
        server.wait_until_idle(CANCEL_S)
    engine.close()


if __name__ == "__main__":
    sys.exit(main())

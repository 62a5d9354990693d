"""A TCP proxy in front of ClickHouse that cuts or stalls chosen inserts, as a network does."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_CHUNK = 1 << 16


class Fault(Enum):
    """What happens to one insert."""

    CUT_REQUEST = "half of the body arrives"
    CUT_ANSWER = "the insert lands, its answer does not come back"
    STALL_ANSWER = "the answer comes too late"


@dataclass(slots=True)
class Faults:
    """What is to happen to the next inserts of a table, in order; `meanwhile` runs while the outcome is unknown."""

    table: str
    planned: list[Fault] = field(default_factory=list)
    stall_s: float = 2.0
    meanwhile: Callable[[], None] = lambda: None
    happened: list[Fault] = field(default_factory=list)

    def next_for(self, head: bytes) -> Fault | None:
        """The fault of a request with this head."""
        if not self.planned or f"insert_deduplication_token={self.table}".encode() not in head:
            return None
        self.happened.append(self.planned.pop(0))
        return self.happened[-1]


@contextlib.contextmanager
def proxy(url: str, faults: Faults) -> Iterator[str]:
    """The address of a proxy before the ClickHouse at `url`."""
    parts = urlsplit(url)
    target = (parts.hostname or "", parts.port or 0)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(ConnectionError, TimeoutError), socket.create_connection(target, 30) as server:
                while _pass_one(self.request, server, faults):
                    pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _pass_one(client: socket.socket, server: socket.socket, faults: Faults) -> bool:
    """Forward one request and its answer; False when the connection is over."""
    head, body = _head_of(client)
    if not head:
        return False
    fault = faults.next_for(head)
    length = _length_of(head)
    if fault is Fault.CUT_REQUEST:
        server.sendall(head + _rest(client, body, length)[: length // 2])
        return False
    server.sendall(head + _rest(client, body, length))
    head, body = _head_of(server)
    answer = head + _rest(server, body, _length_of(head))
    if fault is not None:
        faults.meanwhile()
    if fault is Fault.CUT_ANSWER:
        return False
    if fault is Fault.STALL_ANSWER:
        time.sleep(faults.stall_s)
    client.sendall(answer)
    return True


def _head_of(peer: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = peer.recv(_CHUNK)
        if not piece:
            return b"", b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", body


def _length_of(head: bytes) -> int:
    """Of a body; -1 = chunked."""
    found = _LENGTH.search(head)
    return int(found[1]) if found else (-1 if b"chunked" in head.lower() else 0)


def _rest(peer: socket.socket, body: bytes, length: int) -> bytes:
    while len(body) < length if length >= 0 else not body.endswith(b"0\r\n\r\n"):
        piece = peer.recv(_CHUNK)
        if not piece:
            raise ConnectionResetError
        body += piece
    return body

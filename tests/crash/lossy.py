"""A way to a broker that loses answers: the broker appends, and the client hears its connection break instead.

Frames of the Kafka protocol go through as they are, but for the broker's own address in its answers: the proxy's stands
there instead, so that clients stay on this way.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from still.embedded.ports import LOOPBACK

PRODUCE = 0
_LENGTH = struct.Struct(">i")
_REQUEST = struct.Struct(">hhi")
"""API key, its version, correlation id."""


class LossyProxy(socketserver.ThreadingTCPServer):
    """Loses every `every`th answer to an append."""

    daemon_threads = True

    def __init__(self, bootstrap_servers: str, every: int) -> None:
        host, port = bootstrap_servers.split(":")
        self.broker = (host, int(port))
        self.lost = 0
        self._every = every
        self._appends = 0
        self._lock = threading.Lock()
        super().__init__((LOOPBACK, 0), _Connection)

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect."""
        return f"{LOOPBACK}:{self.server_address[1]}"

    def loses(self) -> bool:
        """Whether the answer to this append is lost."""
        with self._lock:
            self._appends += 1
            is_lost = self._appends % self._every == 0
            self.lost += is_lost
            return is_lost

    def renamed(self, answer: bytes) -> bytes:
        """The answer with the proxy's port where the broker names its own address."""
        host, port = self.broker
        name = host.encode()
        return answer.replace(name + _LENGTH.pack(port), name + _LENGTH.pack(self.server_address[1]))


class _Connection(socketserver.BaseRequestHandler):
    """One client's connection and its counterpart."""

    server: LossyProxy

    def handle(self) -> None:
        """Carry requests over until either side is gone."""
        asked: dict[int, int] = {}
        with suppress(OSError), socket.create_connection(self.server.broker) as broker:
            threading.Thread(target=self._answer, args=(broker, asked), daemon=True).start()
            for frame in _frames(self.request):
                key, _, correlation = _REQUEST.unpack_from(frame)
                asked[correlation] = key
                broker.sendall(_LENGTH.pack(len(frame)) + frame)
            broker.shutdown(socket.SHUT_RDWR)

    def _answer(self, broker: socket.socket, asked: dict[int, int]) -> None:
        with suppress(OSError):
            for frame in _frames(broker):
                (correlation,) = _LENGTH.unpack_from(frame)
                if asked.pop(correlation) == PRODUCE and self.server.loses():
                    break
                answer = self.server.renamed(frame)
                self.request.sendall(_LENGTH.pack(len(answer)) + answer)
        with suppress(OSError):
            self.request.shutdown(socket.SHUT_RDWR)


@contextmanager
def losing(bootstrap_servers: str, every: int) -> Iterator[LossyProxy]:
    """A running proxy."""
    with LossyProxy(bootstrap_servers, every) as proxy:
        serving = threading.Thread(target=proxy.serve_forever, daemon=True)
        serving.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            serving.join()


def _frames(connection: socket.socket) -> Iterator[bytes]:
    """The frames that come, without their lengths, to the end of the connection."""
    stream = connection.makefile("rb")
    while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        frame = stream.read(length)
        if len(frame) < length:
            return
        yield frame

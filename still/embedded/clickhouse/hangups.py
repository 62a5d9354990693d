"""Cancels queries whose client has gone: the setting `cancel_http_readonly_queries_on_client_close` says which.

A thread of the front waits inside the engine and cannot see its socket close, so one watcher looks for all of them.
"""

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator

_LOOK_EVERY_S = 0.5
# The other side has closed; where the system cannot tell this from a closed connection, that must do.
_GONE = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class HangUps:
    """Watches the sockets of running queries."""

    def __init__(self, cancel: Callable[[str], None]) -> None:
        """`cancel` takes the id of a query whose client has gone; it is called in the watcher's thread."""
        self._cancel = cancel
        self._lock = threading.Lock()
        self._watched: dict[int, str] = {}
        threading.Thread(target=self._main, name="hang-ups", daemon=True).start()

    @contextlib.contextmanager
    def watched(self, connection: socket.socket, query_id: str) -> Iterator[None]:
        """Watches `connection` for as long as the context lasts."""
        number = connection.fileno()
        with self._lock:
            self._watched[number] = query_id
        try:
            yield
        finally:
            with self._lock:
                del self._watched[number]

    def _main(self) -> None:
        pause = threading.Event()
        while not pause.wait(_LOOK_EVERY_S):
            for query_id in self._gone():
                self._cancel(query_id)

    def _gone(self) -> list[str]:
        # Under the lock, so that no number can meanwhile mean another connection.
        with self._lock:
            poll = select.poll()
            for number in self._watched:
                poll.register(number, _GONE)
            return [self._watched[number] for number, events in poll.poll(0) if events & _GONE]

"""Ports on loopback: the preferred one when it is free, another one otherwise, and no port for two at once."""

import contextlib
import errno
import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

LOOPBACK = "127.0.0.1"

_OTHERS = range(20000, 32000)
"""Below those that the system gives to outgoing connections, which could take the port of a server that restarts."""

_claims: dict[int, int] = {}
"""The descriptor that holds the claim of each port of this process, for as long as the process lives."""


def choose_port(preferred: int) -> int:
    """A port that is free now: `preferred` if it is, else any other (0 asks for that); nobody else's until we end.

    The server that will listen there is seconds away, and another stack that starts meanwhile asks the same question;
    so a port is claimed, for its user, by a lock on a file of its number.

    Raises:
        OSError: no port is free.
    """
    for port in _candidates(preferred):
        if _claim(port):
            return port
    raise OSError(errno.EADDRINUSE, f"none of the ports {_OTHERS.start} to {_OTHERS.stop - 1} is free on {LOOPBACK}")


def _candidates(preferred: int) -> Iterator[int]:
    if preferred:
        yield preferred
    others = random.SystemRandom().sample(_OTHERS, len(_OTHERS))
    yield from (port for port in others if port not in _claims)


def _claim(port: int) -> bool:
    if port in _claims:
        return _is_free(port)
    folder = Path(tempfile.gettempdir()) / f"stillstream-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    claim = os.open(folder / str(port), os.O_CREAT | os.O_RDWR, 0o600)
    with contextlib.suppress(BlockingIOError):
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_free(port):
            _claims[port] = claim
            return True
    os.close(claim)
    return False


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A port in TIME_WAIT is free to a server that sets the same option, and ours do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True

"""Ports on loopback: the preferred one when it is free, any free one otherwise."""

import socket

LOOPBACK = "127.0.0.1"


def choose_port(preferred: int) -> int:
    """A port that is free now: `preferred` if it is, else one that the system picks (0 asks for that)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A port in TIME_WAIT is free to a server that sets the same option, and ours do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, preferred))
        except OSError:
            probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])

"""Ports are free when they are chosen, and stay with the one who chose."""

from __future__ import annotations

import socket
import subprocess
import sys

from still.embedded.ports import LOOPBACK, choose_port

_CHOOSE = "import sys; from still.embedded.ports import choose_port; print(choose_port(int(sys.argv[1])), flush=True)"


def _chosen_elsewhere(preferred: int) -> int:
    """What another process chooses."""
    argv = [sys.executable, "-c", _CHOOSE, str(preferred)]
    return int(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


def test_a_taken_port_is_replaced() -> None:
    """The preferred port is taken when it is free, and another one when it is not."""
    free = choose_port(0)
    assert choose_port(free) == free
    with socket.create_server((LOOPBACK, free)):
        assert choose_port(free) != free


def test_a_chosen_port_is_nobody_elses_before_a_server_listens_there() -> None:
    """Two stacks that start at once get different ports, though both found the same one free."""
    mine = choose_port(0)
    assert _chosen_elsewhere(mine) != mine


def test_a_port_is_free_again_when_its_chooser_has_ended() -> None:
    """A claim dies with its process."""
    theirs = _chosen_elsewhere(0)
    assert choose_port(theirs) == theirs


def test_free_choices_never_repeat() -> None:
    """Many ports for one process are many ports, and none is one that the system gives to an outgoing connection."""
    chosen = [choose_port(0) for _ in range(50)]
    assert len(set(chosen)) == len(chosen)
    assert max(chosen) < 32768

"""What the supervisor must know of one child process; no process is started here."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Restart:
    """How a crashed child is started again: at once, then after waits that double, until it is given up.

    A child that ended with a status in `not_after` is given up at once: the same start would end the same way.
    """

    first_wait_s: float = 0.5
    longest_wait_s: float = 15.0
    most_in_a_row: int = 9  # counts again from 0 once a child has been ready for a minute
    not_after: frozenset[int] = frozenset()

    def gives_up(self, crashes: int, exit_status: int | None) -> bool:
        """Whether no start follows crash number `crashes` (from 1) with this status."""
        return crashes > self.most_in_a_row or exit_status in self.not_after

    def wait_s(self, crashes: int) -> float:
        """How long to wait before the start that follows crash number `crashes` (from 1)."""
        return 0.0 if crashes == 1 else float(min(self.longest_wait_s, self.first_wait_s * 2 ** (crashes - 2)))


@dataclass(frozen=True, slots=True)
class Child:
    """One child process; children start in the order they are given and stop in the reverse order.

    Attributes:
        name: unique in the stack; also the name of its log file.
        argv: the command; a relative program is looked up in PATH.
        env: added to the supervisor's own environment.
        ready: asked until it says True; it must return within a second or so, and never raise.
        ready_timeout_s: after that the start has failed.
        stop_signal: asks it to end; SIGKILL follows after `stop_grace_s`.
        health_url: where it answers /metrics, /healthz and /readyz; None = it does not.
        restart: what happens after a crash; None leaves it down.
        dies_with: another child that it must not outlive: when that one crashes it is killed too, before that one is
            started again; None = it stands for itself.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)
    ready_timeout_s: float = 60.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_s: float = 10.0
    health_url: str | None = None
    restart: Restart | None = field(default_factory=Restart)
    dies_with: str | None = None

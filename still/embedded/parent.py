"""A child that ends when its parent ends, even by kill -9.

Linux only: elsewhere `die_with_parent` does nothing, and an orphan has to be stopped by hand
(the folder lock names it). The kernel ties the child to the *thread* that started it, so whoever
starts children does so from a thread that lives as long as they should.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Asks the kernel to kill this process when its parent ends; survives `exec`.

    Args:
        parent_pid: who started us; when that process is gone already, this one exits at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(f"the parent process {parent_pid} is gone already")

"""Room for open sockets: each connection needs a file descriptor, and systems hand out few by default.

In: how many are wanted. Out: a raised soft limit, or SimulationError that says what to do.
"""

from __future__ import annotations

from phongmay_simulate.enrolling import SimulationError

OTHERS = 64
"""Descriptors for everything that is no connection: files, pipes, the loop itself."""


def make_room(connections: int) -> None:
    """Raise the soft limit of open files as far as the connections need.

    Raises:
        SimulationError: the hard limit is too low.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHERS
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SimulationError(
            f"{connections} connections need {needed} open files, but this user may have {hard}; simulate at most "
            f"{max(hard - OTHERS, 0)}, or raise the limit (ulimit -Hn, nofile in /etc/security/limits.conf)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))

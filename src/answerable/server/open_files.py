"""Limit of open files: raised as far as the system lets a process raise its own."""

import resource

from answerable.model.worker_limits import Limits
from answerable.server.operator_log import Log

_OWN = 256  # files besides connections: evidence, servers, signals
_FACTOR = 3  # quotas of connections, and calls to servers behind them


def raise_open_files(limits: Limits, log: Log) -> None:
    """Raise the limit of open files to what the configured connections need.

    Many systems start a process with 1,024, which it may raise itself.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _FACTOR * limits.connections + _OWN
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        log.warning("limits.open-files", allowed=most, needed=needed)

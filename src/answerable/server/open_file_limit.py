"""Raise the limit of open files to what the configured connections need."""

import resource

from answerable.model.worker_limits import WorkerLimits
from answerable.server.operator_log import OperatorLog

_RESERVED = 256  # files besides connections: evidence, servers, signals
_FILES_PER_CONNECTION = 3  # quotas of connections, and calls to servers behind them


def raise_open_files(limits: WorkerLimits, log: OperatorLog) -> None:
    """Raise the limit of open files to what the configured connections need.

    Many systems start a process with 1,024, which it may raise itself.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = _FILES_PER_CONNECTION * limits.connections + _RESERVED
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        log.warning("limits.open-files", allowed=most, needed=needed)

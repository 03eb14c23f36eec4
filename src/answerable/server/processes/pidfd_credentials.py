"""Read the users and groups of a process from its pidfd.

Since Linux 6.13 (`PIDFD_GET_INFO`). The kernel describes the process that the pidfd
holds, or reports that it is gone.
"""

import errno
import fcntl
import struct
from dataclasses import dataclass

# <linux/pidfd.h>: _IOWR(PIDFS_IOCTL_MAGIC = 0xFF, 11, struct pidfd_info), in the size
# that it was first published in; later kernels take it, too.
_SIZE = 64
_GET_INFO = (3 << 30) | (_SIZE << 16) | (0xFF << 8) | 11
_INFO = struct.Struct("=QQ12I")
_PID, _CREDENTIALS = 1, 2
# Unsupported request, unsupported kind of pidfd, or outside our namespace.
_UNKNOWN = frozenset({errno.ENOTTY, errno.EINVAL, errno.EREMOTE, errno.EOPNOTSUPP})


@dataclass(frozen=True, slots=True)
class ProcessCredentials:
    """User and group ids of a process.

    Attributes:
        pid: Process id, in our own namespace.
        ppid: Parent's process id, 0 where it is outside the namespace.
        uids: Its real, effective and saved user.
        gids: Its real, effective and saved group.
    """

    pid: int
    ppid: int
    uids: tuple[int, int, int]
    gids: tuple[int, int, int]

    @property
    def is_single_user(self) -> bool:
        """True where all its user ids are equal, and all its group ids."""
        return len(set(self.uids)) == 1 and len(set(self.gids)) == 1


def read_pidfd_credentials(pidfd: int) -> ProcessCredentials | None:
    """Read a process's user and group ids from its pidfd.

    Returns:
        None where it has none: an older kernel, or a process that is gone. Then /proc
        is read, and liveness checked.
    """
    info = bytearray(_SIZE)
    _INFO.pack_into(info, 0, _PID | _CREDENTIALS, *([0] * 13))
    try:
        fcntl.ioctl(pidfd, _GET_INFO, info)
    except OSError as error:
        if error.errno in _UNKNOWN or error.errno == errno.ESRCH:
            return None
        raise
    mask, _, _, tgid, ppid, *users, _, _, _ = _INFO.unpack(info)
    if mask & _PID == 0 or mask & _CREDENTIALS == 0:
        return None
    # Real user and group, then pairs of effective, saved and file system's.
    ruid, rgid, euid, egid, suid, sgid = users
    return ProcessCredentials(tgid, ppid, (ruid, euid, suid), (rgid, egid, sgid))

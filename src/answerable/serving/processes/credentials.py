"""Who a process is: asked of its pidfd, so that no number comes between.

Since Linux 6.13 (`PIDFD_GET_INFO`). The kernel names the process that the pidfd holds,
or says that it is gone.
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
# No such request, no pidfd of the kind that takes requests, or outside our namespace.
_UNKNOWN = frozenset({errno.ENOTTY, errno.EINVAL, errno.EREMOTE, errno.EOPNOTSUPP})


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whom the kernel takes a process for.

    Attributes:
        pid: Its number, in our own namespace.
        ppid: Its parent's, 0 where that is outside.
        uids: Its real, effective and saved user.
        gids: Its real, effective and saved group.
    """

    pid: int
    ppid: int
    uids: tuple[int, int, int]
    gids: tuple[int, int, int]

    @property
    def is_one(self) -> bool:
        """It is one user and one group, and holds no other to turn into."""
        return len(set(self.uids)) == 1 and len(set(self.gids)) == 1


def told_by(pidfd: int) -> Credentials | None:
    """Ask a pidfd.

    Returns:
        None where it says nothing: an older kernel, or a process that is gone. Then
        /proc is asked, and whether it lives.
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
    return Credentials(tgid, ppid, (ruid, euid, suid), (rgid, egid, sgid))

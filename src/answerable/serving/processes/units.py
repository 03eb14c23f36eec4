"""Texts of /proc/PID, parsed. Pure.

The unit is that of the system's manager. A user may run a manager of their own below
their unit and call its units whatever they like, so what lies deeper says nothing.
"""

from answerable.serving.processes.credentials import Credentials

# man 5 systemd.unit; slices hold units, and a process is in one of these.
_KINDS = (".service", ".scope", ".socket", ".mount", ".swap")


def unit_in(cgroup: str) -> str:
    """Find the systemd unit in the text of /proc/PID/cgroup, empty where it is in none.

    Args:
        cgroup: Lines `HIERARCHY:CONTROLLERS:PATH` (man 7 cgroups). Where systemd has a
            hierarchy of its own (version 1), that says so, else the one of version 2.
    """
    paths = {}
    for line in cgroup.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        paths[controllers if controllers or number != "0" else "2"] = path
    path = paths.get("name=systemd", "/")
    if path == "/":
        path = paths.get("2", "/")
    for part in path.split("/")[1:]:
        # A leading underscore keeps a name apart from files of the kernel's.
        name = part.removeprefix("_")
        if not name.endswith(".slice"):
            return name if name.endswith(_KINDS) and name.isprintable() else ""
    return ""


def start_in(stat: str) -> int:
    """Find when a process started, in the text of /proc/PID/stat (field 22).

    Returns:
        Clock ticks since boot.
    """
    return int(_fields(stat)[19])


def spent_in(stat: str) -> int:
    """Find what a process worked so far, in the text of /proc/PID/stat (14 and 15).

    Returns:
        Clock ticks, of all its threads.
    """
    fields = _fields(stat)
    return int(fields[11]) + int(fields[12])


def has_only_forked(stat: str) -> bool:
    """Say whether a process was forked and has run no program of its own yet.

    Args:
        stat: Text of /proc/PID/stat. Field 9 holds the kernel's flags, among them
            PF_FORKNOEXEC (0x40, <linux/sched.h>).
    """
    return bool(int(_fields(stat)[6]) & 0x40)


def credentials_in(stat: str, status: str) -> Credentials:
    """Find who a process is, in the texts of /proc/PID/stat and /proc/PID/status."""
    return Credentials(
        pid=int(stat.partition(" ")[0]),
        ppid=int(_fields(stat)[1]),
        uids=_ids_in(status, "Uid:"),
        gids=_ids_in(status, "Gid:"),
    )


def uid_in(status: str) -> int:
    """Find the real user of a process in the text of /proc/PID/status."""
    return _ids_in(status, "Uid:")[0]


def gid_in(status: str) -> int:
    """Find the real group of a process in the text of /proc/PID/status."""
    return _ids_in(status, "Gid:")[0]


def _fields(stat: str) -> list[str]:
    """Give the fields from the third on."""
    # The second field is the program's name in parentheses, and may hold any letter.
    return stat[stat.rindex(")") + 1 :].split()


def _ids_in(status: str, name: str) -> tuple[int, int, int]:
    """Give real, effective and saved one."""
    line = next(each for each in status.splitlines() if each.startswith(name))
    real, effective, saved = line.split()[1:4]
    return int(real), int(effective), int(saved)

"""Parse the texts of /proc/PID: stat, status and cgroup.

The unit is that of the system's service manager. A user may run a manager below their
own unit and choose any names, so deeper units do not count.
"""

from answerable.server.processes.pidfd_credentials import ProcessCredentials

# man 5 systemd.unit; slices hold units, and a process is in one of these.
_KINDS = (".service", ".scope", ".socket", ".mount", ".swap")


def parse_systemd_unit(cgroup: str) -> str:
    """Return the systemd unit in the text of /proc/PID/cgroup, empty without one.

    Args:
        cgroup: Lines `HIERARCHY:CONTROLLERS:PATH` (man 7 cgroups). Where systemd has a
            hierarchy of its own (version 1), that one counts, else the one of version
            2.
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


def parse_start_time(stat: str) -> int:
    """Return the start time of a process, from the text of /proc/PID/stat (field 22).

    Returns:
        Clock ticks since boot.
    """
    return int(_parse_stat_fields(stat)[19])


def parse_cpu_ticks(stat: str) -> int:
    """Return the CPU time of a process, from the text of /proc/PID/stat (14 and 15).

    Returns:
        Clock ticks, of all its threads.
    """
    fields = _parse_stat_fields(stat)
    return int(fields[11]) + int(fields[12])


def is_only_forked(stat: str) -> bool:
    """Return whether a process was forked and has not executed a program yet.

    Args:
        stat: Text of /proc/PID/stat. Field 9 holds the kernel's flags, among them
            PF_FORKNOEXEC (0x40, <linux/sched.h>).
    """
    return bool(int(_parse_stat_fields(stat)[6]) & 0x40)


def parse_credentials(stat: str, status: str) -> ProcessCredentials:
    """Parse the users and groups of a process from /proc/PID/stat and status."""
    return ProcessCredentials(
        pid=int(stat.partition(" ")[0]),
        ppid=int(_parse_stat_fields(stat)[1]),
        uids=_parse_user_or_group_ids(status, "Uid:"),
        gids=_parse_user_or_group_ids(status, "Gid:"),
    )


def parse_uid(status: str) -> int:
    """Return the real user of a process, from the text of /proc/PID/status."""
    return _parse_user_or_group_ids(status, "Uid:")[0]


def parse_gid(status: str) -> int:
    """Return the real group of a process, from the text of /proc/PID/status."""
    return _parse_user_or_group_ids(status, "Gid:")[0]


def _parse_stat_fields(stat: str) -> list[str]:
    """Split /proc/PID/stat from its third field on, after the name."""
    # The second field is the program's name in parentheses, and may hold any letter.
    return stat[stat.rindex(")") + 1 :].split()


def _parse_user_or_group_ids(status: str, label: str) -> tuple[int, int, int]:
    """Return the real, effective and saved id of a line in /proc/PID/status."""
    line = next(each for each in status.splitlines() if each.startswith(label))
    real, effective, saved = line.split()[1:4]
    return int(real), int(effective), int(saved)

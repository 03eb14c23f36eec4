"""Texts of /proc/PID, parsed. Pure.

The unit is that of the system's manager. A user may run a manager of their own below
their unit and call its units whatever they like, so what lies deeper says nothing.
"""

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
    # The second field is the program's name in parentheses, and may hold any letter.
    return int(stat[stat.rindex(")") + 1 :].split()[19])


def uid_in(status: str) -> int:
    """Find the real user of a process in the text of /proc/PID/status."""
    return _first_in(status, "Uid:")


def gid_in(status: str) -> int:
    """Find the real group of a process in the text of /proc/PID/status."""
    return _first_in(status, "Gid:")


def _first_in(status: str, name: str) -> int:
    return next(
        int(line.split()[1]) for line in status.splitlines() if line.startswith(name)
    )

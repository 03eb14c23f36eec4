"""Parse the container id of a process from the text of /proc/PID/cgroup.

A process that may create cgroups below its own can choose any name: a user's service
manager, a container that runs containers. So the outermost name counts, and only where
all its parents were created by the system's manager or a runtime that runs as root. A
rootless container is below its user's unit; its name is that user's claim.
"""

import re

ID = re.compile(r"[0-9a-f]{64}")
# `RUNTIME-ID.scope` where systemd makes the group, `RUNTIME-ID` where podman does.
# `crio-conmon-ID` and `libpod-conmon-ID` hold a monitor and not the container.
SCOPED = re.compile(
    r"(?:docker|cri-containerd|nerdctl|crio|libpod)-([0-9a-f]{64})(?:\.scope)?"
)
# Containerd's form of a systemd parent where it runs without the systemd driver.
COLONS = re.compile(r"[^/:]+\.slice:(?:cri-containerd|docker|crio):([0-9a-f]{64})")
# Groups that runtimes put their containers in, without systemd.
PARENTS = re.compile(
    r"docker|kubepods|burstable|besteffort|guaranteed|libpod_parent|default|moby|k8s\.io"
    r"|ecs|actions_job|pod[0-9a-fA-F_-]{32,36}"
)
# A slice, or the unit that is containerd's parent without a driver.
ABOVE = re.compile(r"[^/]*\.slice|containerd\.service")
TASK = re.compile(r"[0-9a-f]{32}|[0-9a-f-]{36}")  # of ECS


def parse_container_id(cgroup: str) -> str:
    """Return the container id, empty where no trusted runtime created one.

    Args:
        cgroup: Lines `HIERARCHY:CONTROLLERS:PATH` (man 7 cgroups). Where two name
            different containers, none is believed.
    """
    found = {
        _find_id_in_cgroup_path(line.split(":", 2)[-1]) for line in cgroup.splitlines()
    } - {""}
    return found.pop() if len(found) == 1 else ""


def _find_id_in_cgroup_path(path: str) -> str:
    """Return the container id in one cgroup path, empty without one."""
    above = ""
    is_plain = False  # a runtime, not systemd, created the parent group
    for part in path.split("/")[1:]:
        named = SCOPED.fullmatch(part) or COLONS.fullmatch(part)
        if named is not None:
            return named[1]
        if ID.fullmatch(part):
            return part if is_plain else ""
        if PARENTS.fullmatch(part) or (above == "ecs" and TASK.fullmatch(part)):
            is_plain = True
        elif is_plain or not ABOVE.fullmatch(part):
            return ""
        above = part
    return ""

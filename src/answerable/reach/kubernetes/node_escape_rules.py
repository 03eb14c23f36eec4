"""Security facts of a container that give its node to the process in it, as data.

Sources are sections of https://kubernetes.io/docs unless they name another place.
"""

from dataclasses import dataclass

from answerable.reach.kubernetes.step_rules import KERNEL


@dataclass(frozen=True, slots=True)
class NodeEscape:
    """Security facts of a container that give its node to the process in it.

    Attributes:
        capabilities: Capabilities that are all needed.
        host_pid: True where the container must share the processes of the node.
        privileged: True for a privileged container.
        written: Paths of the node; one is mounted for writing, or a folder with it.
        read: The same, mounted for reading.
        condition: Key of a condition; empty for none.
    """

    name: str
    source: str
    privileged: bool = False
    capabilities: tuple[str, ...] = ()
    host_pid: bool = False
    written: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    condition: str = ""


_ROOT = "/root"  # home of the user root
_KUBEHOUND = "https://kubehound.io/reference/attacks/"
NODE_ESCAPES: tuple[NodeEscape, ...] = (
    NodeEscape(
        "privileged container",
        "concepts/security/linux-kernel-security-constraints/#privileged-containers",
        privileged=True,
    ),
    NodeEscape(
        "loads a kernel module",
        f"{_KUBEHOUND}CE_MODULE_LOAD/",
        capabilities=("SYS_MODULE",),
    ),
    NodeEscape(
        "traces a process of the node",
        f"{_KUBEHOUND}CE_SYS_PTRACE/",
        capabilities=("SYS_PTRACE",),
        host_pid=True,
    ),
    NodeEscape(
        "mounts a device of the node",
        f"{_KUBEHOUND}CE_PRIV_MOUNT/",
        capabilities=("SYS_ADMIN",),
        condition=KERNEL,
    ),
    NodeEscape(
        "writes files of the node",
        f"{_KUBEHOUND}EXPLOIT_HOST_WRITE/",
        written=(
            "/etc/cron.d",
            "/etc/kubernetes/manifests",
            "/etc/systemd/system",
            "/proc/sys/kernel/core_pattern",
            f"{_ROOT}/.ssh/authorized_keys",
            "/run/containerd/containerd.sock",
            "/run/crio/crio.sock",
            "/run/docker.sock",
            "/var/lib/kubelet/pods",
            "/var/run/containerd/containerd.sock",
            "/var/run/crio/crio.sock",
            "/var/run/docker.sock",
            "/var/spool/cron",
        ),
    ),
    NodeEscape(
        "reads credentials of the node",
        f"{_KUBEHOUND}EXPLOIT_HOST_READ/",
        read=(
            "/etc/kubernetes/admin.conf",
            "/etc/kubernetes/kubelet.conf",
            "/etc/kubernetes/pki/ca.key",
            f"{_ROOT}/.ssh/id_rsa",
            "/var/lib/kubelet/pki/kubelet-client-current.pem",
            "/var/lib/kubelet/pods",
        ),
    ),
)

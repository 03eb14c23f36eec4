"""Which container a process is in, where somebody that may say so says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.server.processes.container_id import parse_container_id

A, B = "0123456789abcdef" * 4, "fedcba9876543210" * 4
POD = "pod2c48913c-b29f-11e7-9350-020968147796"
SLICE = POD.replace("-", "_")

# Forms as runtimes write them. Sources: Kubernetes' cgroup managers (pkg/kubelet/cm:
# cgroupfs and systemd names), containerd (internal/cri getCgroupsPath and its
# test-id), CRI-O (internal/config/cgmgr), podman (libpod: libpod_parent, machine.slice),
# docker (oci defaults, /docker and system.slice), Amazon ECS (/ecs/TASK/ID).
KNOWN = [
    f"/docker/{A}",
    f"/system.slice/docker-{A}.scope",
    f"/docker/{A}/system.slice/ssh.service",
    f"/kubepods/besteffort/{POD}/{A}",
    f"/kubepods/burstable/{POD}/{A}",
    f"/kubepods/{POD}/{A}",
    f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-{SLICE}.slice/cri-containerd-{A}.scope",
    f"/kubepods.slice/kubepods-{SLICE}.slice/cri-containerd-{A}.scope",
    f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-{SLICE}.slice/crio-{A}.scope",
    f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-{SLICE}.slice/crio-{A}.scope/container",
    f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-{SLICE}.slice/docker-{A}.scope",
    f"/kubepods-besteffort-{SLICE}.slice:cri-containerd:{A}",
    f"/system.slice/containerd.service/kubepods-besteffort-{SLICE}.slice:cri-containerd:{A}",
    f"/system.slice/nerdctl-{A}.scope",
    f"/default/{A}",
    f"/machine.slice/libpod-{A}.scope",
    f"/machine.slice/libpod-{A}.scope/container",
    f"/libpod_parent/libpod-{A}",
    f"/ecs/0fd7a5c0-9b4a-4d5f-9a4a-1a2b3c4d5e6f/{A}",
    f"/ecs/55091c13b8cf41c5a2f4b4c8a0a2a3a4/{A}",
    f"/ecstasks.slice/ecstasks-55091c13b8cf41c5.slice/docker-{A}.scope",
]
NOBODYS = [
    "/",
    "",
    "/system.slice/invoices.service",
    "/user.slice/user-1000.slice/session-3.scope",
    # Rootless: below its user's manager, who may call a group what it likes.
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope",
    f"/user.slice/user-1000.slice/user@1000.service/app.slice/docker-{A}.scope",
    f"/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_{B}.slice/libpod-{A}.scope/container",
    # Below a unit of its own, which may be delegated: the unit is what is known.
    f"/system.slice/invoices.service/libpod-payload-{A}",
    f"/system.slice/invoices.service/docker-{A}.scope",
    f"/system.slice/invoices.service/docker/{A}",
    # Not the container, but who looks after it.
    f"/machine.slice/libpod-conmon-{A}.scope",
    f"/system.slice/crio-conmon-{A}.scope",
    # Outside our own namespace of groups.
    f"/../cri-containerd-{A}.scope",
    f"/../../{POD}/{A}",
    # No id of a container's.
    f"/docker/{A[:12]}",
    f"/docker/{A.upper()}",
    f"/docker/{A}0",
    f"/{A}",
    f"/system.slice/{A}",
    f"/system.slice/evil-docker-{A}.scope",
    f"/lxc/{A}",
]
BELOW = st.text(
    st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
)


@pytest.mark.parametrize("path", KNOWN)
def test_the_forms_of_the_runtimes_are_known(path: str) -> None:
    assert parse_container_id(f"0::{path}\n") == A
    first = f"12:pids:{path}\n5:cpu,cpuacct:{path}\n1:name=systemd:{path}\n0::/\n"
    assert parse_container_id(first) == A


@pytest.mark.parametrize("path", NOBODYS)
def test_what_nobody_vouches_for_is_no_container(path: str) -> None:
    assert parse_container_id(f"0::{path}\n") == ""


def test_where_two_are_named_none_is_believed() -> None:
    assert parse_container_id(f"3:cpu:/docker/{A}\n2:pids:/docker/{B}\n0::/\n") == ""
    assert parse_container_id(f"3:cpu:/docker/{A}\n2:pids:/docker/{A}\n0::/\n") == A


@pytest.mark.parametrize("path", KNOWN)
@given(below=BELOW)
def test_what_a_container_makes_below_itself_never_changes_it(
    path: str, below: str
) -> None:
    assert parse_container_id(f"0::{path}/{below}\n") == A


@given(below=BELOW)
def test_what_a_user_makes_below_his_unit_is_never_a_container(below: str) -> None:
    unit = "/user.slice/user-1000.slice/user@1000.service"
    assert parse_container_id(f"0::{unit}/{below}\n") == ""
    assert parse_container_id(f"0::{unit}/{below}/docker-{A}.scope\n") == ""


@given(st.text())
def test_any_text_gives_an_id_or_none(text: str) -> None:
    assert len(parse_container_id(text)) in (0, 64)

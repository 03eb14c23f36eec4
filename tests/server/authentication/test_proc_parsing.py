"""Which systemd unit a process is in, as the system's manager put it there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.server.processes.proc_parsing import (
    parse_gid,
    parse_start_time,
    parse_systemd_unit,
    parse_uid,
)

V1 = "12:pids:/user.slice\n1:name=systemd:{}\n0::{}\n"

UNITS = [
    ("0::/system.slice/invoices.service\n", "invoices.service"),
    ("0::/system.slice/invoices.service/worker\n", "invoices.service"),
    ("0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service"),
    ("0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope"),
    ("0::/system.slice/docker-0a1b.scope\n", "docker-0a1b.scope"),
    ("0::/system.slice/_cpu.service\n", "cpu.service"),
    ("0::/init.scope\n", "init.scope"),
    # A manager of the user's own puts what it likes below the user's unit.
    (
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/invoices.service\n",
        "user@1000.service",
    ),
    ("0::/system.slice/evil.service/system.slice/invoices.service\n", "evil.service"),
    # Outside our namespace, in no unit, or not systemd's.
    ("0::/../../invoices.service\n", ""),
    ("0::/../system.slice/invoices.service\n", ""),
    ("0::/\n", ""),
    ("0::/system.slice\n", ""),
    ("0::/docker/0a1b\n", ""),
    ("0::/kubepods.slice/pod.slice/cri/invoices.service\n", ""),
    ("", ""),
    ("5:memory:/system.slice/invoices.service\n", ""),
    (V1.format("/system.slice/a.service", "/"), "a.service"),
    (V1.format("/system.slice/a.service", "/system.slice/b.service"), "a.service"),
    (V1.format("/", "/system.slice/b.service"), "b.service"),
]


@pytest.mark.parametrize(("cgroup", "unit"), UNITS)
def test_the_unit_is_the_first_below_the_slices(cgroup: str, unit: str) -> None:
    assert parse_systemd_unit(cgroup) == unit


@given(
    st.text(
        st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
    )
)
def test_what_a_unit_makes_below_itself_never_changes_it(below: str) -> None:
    assert (
        parse_systemd_unit(f"0::/system.slice/evil.service/{below}\n") == "evil.service"
    )


@given(st.text())
def test_any_text_gives_a_unit_or_none(text: str) -> None:
    unit = parse_systemd_unit(text)
    assert "/" not in unit
    assert unit in text


@given(st.text(st.characters(exclude_characters="\0"), max_size=15))
def test_a_name_of_a_program_is_no_field(name: str) -> None:
    stat = f"42 ({name}) S " + " ".join(str(number) for number in range(4, 53))
    assert parse_start_time(stat) == 22


def test_the_real_user_and_group_are_read() -> None:
    status = "Name:\tUid:\nUid:\t1001\t0\t0\t0\nGid:\t1002\t0\t0\t0\n"
    assert (parse_uid(status), parse_gid(status)) == (1001, 1002)

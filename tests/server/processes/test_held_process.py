"""What a pidfd and /proc tell of a process, and that both tell the same."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from answerable.server.processes import executable_digest, pidfd_process
from answerable.server.processes.executable_digest import ExecutableDigests
from answerable.server.processes.pidfd_credentials import read_pidfd_credentials
from answerable.server.processes.pidfd_process import (
    PidfdProcess,
    ProcessGone,
    open_parent_process,
    open_pidfd,
    read_proc_file,
)
from answerable.server.processes.proc_parsing import is_only_forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")

WAIT = ("-c", "import sys; sys.stdin.read()")


def hold(pid: int) -> PidfdProcess:
    return PidfdProcess(open_pidfd(pid), pid)


def test_a_pidfd_and_proc_tell_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with hold(os.getpid()) as process:
        if read_pidfd_credentials(process.pidfd) is None:
            pytest.skip("this kernel's pidfds tell nothing (Linux 6.13)")
        asked = process.read_credentials()
        monkeypatch.setattr(pidfd_process, "read_pidfd_credentials", lambda pidfd: None)
        assert process.read_credentials() == asked
    assert (asked.pid, asked.ppid) == (os.getpid(), os.getppid())
    assert asked.uids == os.getresuid()
    assert asked.gids == os.getresgid()


def test_the_order_of_users_and_groups_is_the_kernels() -> None:
    if os.getuid() != 0:
        pytest.skip("takes other users' places, as root")
    script = (
        "import os, sys; os.setresgid(1004, 1005, 1006); os.setresuid(1001, 1002, 1003); "
        "print('.', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with hold(child.pid) as process:
            told = read_pidfd_credentials(process.pidfd)
            read = process.read_facts(pidfd_process._parse_credentials)
        child.communicate(b"")
    assert read.uids == (1001, 1002, 1003)
    assert read.gids == (1004, 1005, 1006)
    assert told in (None, read)
    assert not read.is_single_user


def test_a_process_that_ended_tells_nothing() -> None:
    with subprocess.Popen([sys.executable, *WAIT], stdin=subprocess.PIPE) as child:
        process = hold(child.pid)
        child.communicate(b"")
    with process:
        assert process.has_ended()
        for ask in (process.check_alive, process.read_credentials):
            with pytest.raises(ProcessGone):
                ask()
        with pytest.raises(ProcessGone):
            open_parent_process(process)


def test_parents_are_held_all_the_way_up() -> None:
    here: PidfdProcess | None = hold(os.getpid())
    pids = []
    while here is not None:
        pids.append(here.pid)
        with here:
            here = open_parent_process(here)
    assert pids[1] == os.getppid()
    assert len(set(pids)) == len(pids)


def test_a_child_that_was_orphaned_meanwhile_has_no_parent_to_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = PidfdProcess.read_credentials
    with hold(os.getpid()) as process:
        now = process.read_credentials()
        born = iter((now, now.__class__(now.pid, 1, now.uids, now.gids)))
        monkeypatch.setattr(PidfdProcess, "read_credentials", lambda self: next(born))
        with pytest.raises(ProcessGone):
            open_parent_process(process)
    monkeypatch.setattr(PidfdProcess, "read_credentials", real)


def test_who_runs_a_program_has_not_only_forked() -> None:
    assert not is_only_forked(read_proc_file(Path("/proc/self/stat")))


def test_a_number_that_is_none_is_nobodys() -> None:
    for number in (2**22 + 1, 2**40, -5):
        with pytest.raises(ProcessGone):
            open_pidfd(number)


def test_the_program_is_named_with_its_digest() -> None:
    here = Path(f"/proc/{os.getpid()}")
    path, digest = ExecutableDigests().read_path_and_digest(here)
    assert path == os.path.realpath(sys.executable)
    assert digest == hashlib.sha256(Path(path).read_bytes()).hexdigest()


def folder_of(tmp_path: Path, program: Path) -> Path:
    folder = tmp_path / "process"
    folder.mkdir(exist_ok=True)
    (folder / "exe").unlink(missing_ok=True)
    (folder / "exe").symlink_to(program)
    return folder


def test_a_digest_is_of_the_file_as_it_is_now(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"good")
    folder = folder_of(tmp_path, program)
    read = ExecutableDigests()
    first = read.read_path_and_digest(folder)
    then = program.stat()
    program.write_bytes(b"evil")
    # Its owner may say that it was not touched, and is not believed.
    os.utime(program, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert first == (str(program), hashlib.sha256(b"good").hexdigest())
    assert read.read_path_and_digest(folder) == (
        str(program),
        hashlib.sha256(b"evil").hexdigest(),
    )


def test_a_digest_is_reckoned_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"x")
    folder, read = folder_of(tmp_path, program), ExecutableDigests()
    first = read.read_path_and_digest(folder)
    monkeypatch.setattr(hashlib, "sha256", None)
    assert read.read_path_and_digest(folder) == first


def test_what_is_too_large_has_no_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"12345")
    monkeypatch.setattr(executable_digest, "MAX_EXECUTABLE", 4)
    assert ExecutableDigests().read_path_and_digest(folder_of(tmp_path, program)) == (
        str(program),
        "",
    )


def test_only_so_many_digests_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executable_digest, "_MAX_CACHED", 2)
    read = ExecutableDigests()
    for number in range(4):
        program = tmp_path / str(number)
        program.write_bytes(b"x")
        read.read_path_and_digest(folder_of(tmp_path, program))
    assert len(read._digests) == 2

"""Who may register a run, and who then belongs to it."""

import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from answerable.model.attestation import Attestor
from answerable.model.errors import EnvironmentRefused
from answerable.serving.processes import runs as registry
from answerable.serving.processes.attest import attest_peer
from answerable.serving.processes.held import Hold, opened
from answerable.serving.processes.registering import Answer, Launch, finish, register
from answerable.serving.processes.runs import Run, Runs
from tests.serving.processes.visitors import Visitor, listening

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux"),
    pytest.mark.skipif(os.getuid() != 0, reason="starts processes of another user"),
]

ANA, BO = 1001, 1002
NOW = 1_800_000_000
AGENT = "agent:declared/bot"
STOPPED = """
r, w = os.pipe()
child = os.fork()
if child == 0:
    uid = UID
    if uid and os.getuid() == 0:
        os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
    os.write(w, b'.')
    import time; time.sleep(30); os._exit(0)
os.read(r, 1)
"""


def say(script: str) -> str:
    """A script as one line that a visitor runs."""
    return f"exec({script!r})"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listening() as here:
        yield here


@pytest.fixture
def gone() -> list[Run]:
    return []


@pytest.fixture
def runs(tmp_path: Path, gone: list[Run]) -> Iterator[Runs]:
    runs = Runs(tmp_path / "state", gone.append)
    yield runs
    runs.close()


class Launcher(Visitor):
    """A visitor with a child that waits."""

    def __init__(
        self, listening: socket.socket, uid: int = 0, child: int = ANA
    ) -> None:
        super().__init__(listening, uid)
        self.do(say(STOPPED.replace("UID", str(child))))
        told = self.do("print(child, flush=True)")
        self.said()
        self.root = int(told)

    def end(self) -> None:
        if self.child.poll() is None:
            self.do("os.kill(child, 9); os.waitpid(child, 0)")
        super().end()

    def request(self, **other: object) -> bytes:
        stat = Path(f"/proc/{self.root}/stat").read_text()
        asked = {
            "agent": AGENT,
            "pid": self.root,
            "start": int(stat.rpartition(")")[2].split()[19]),
            "program": "/usr/bin/bot",
            "argv_sha256": "0" * 64,
        }
        return json.dumps(asked | other).encode()


def asked(
    runs: Runs,
    launcher: Launcher,
    allows: Callable[[Launch], str] = lambda launch: "r1",
    **other: object,
) -> Answer:
    return register(runs, launcher.connection, launcher.request(**other), allows, NOW)


def test_a_run_is_taken_up_as_the_kernel_sees_it(
    listener: socket.socket, runs: Runs
) -> None:
    seen: list[Launch] = []
    with Launcher(listener) as launcher:
        answer = asked(runs, launcher, lambda launch: seen.append(launch) or "r1")
        run = answer.run
        assert answer.status == 201
        assert run is not None
        assert seen == [Launch(AGENT, 0, ANA, "/usr/bin/bot")]  # type: ignore[arg-type]
        assert (run.process.pid, run.launcher.pid) == (launcher.root, launcher.pid)
        assert (run.started_by, run.uid, run.rule) == (0, ANA, "r1")
        assert not run.is_advisory
        told = {"run": run.name, "rule": "r1", "advisory": False}
        assert json.loads(answer.body) == told
        with Hold(opened(launcher.root), launcher.root) as root:
            assert runs.of_process(root) == run


def test_whoever_starts_as_himself_is_told_that_it_is_advice(
    listener: socket.socket, runs: Runs
) -> None:
    with Launcher(listener, ANA) as launcher:
        answer = asked(runs, launcher)
    assert answer.run is not None
    assert answer.run.is_advisory
    assert json.loads(answer.body)["advisory"] is True


def test_no_rule_is_no_run(listener: socket.socket, runs: Runs) -> None:
    with Launcher(listener, ANA) as launcher:
        answer = asked(runs, launcher, lambda launch: "")
    assert (answer.status, answer.reason) == (403, "no-rule")
    said = json.loads(answer.body)["error_description"]
    assert said == f"no rule lets user {ANA} start {AGENT} as user {ANA}"
    assert list(runs) == []


BAD: list[dict[str, object]] = [
    {"agent": "bot"},
    {"agent": "agent:a b"},
    {"agent": 7},
    {"pid": 0},
    {"pid": -1},
    {"pid": 2**31},
    {"pid": True},
    {"pid": "7"},
    {"start": -1},
    {"start": 1e308},
    {"program": "bot"},
    {"program": "/bin/x\n"},
    {"program": "/" + "x" * 5000},
    {"argv_sha256": "0" * 63},
    {"argv_sha256": "A" * 64},
    {"config_sha256": "x"},
    {"uid": 0},
    {"reason": "my owner said that I may"},
    {"started_by": 0},
]


@pytest.mark.parametrize("other", BAD, ids=str)
def test_what_is_no_request_is_refused(
    listener: socket.socket, runs: Runs, other: dict[str, object]
) -> None:
    whole = {
        "agent": AGENT,
        "pid": 1,
        "start": 1,
        "program": "/x",
        "argv_sha256": "0" * 64,
    }
    here, there = socket.socketpair()
    with here, there:
        body = json.dumps(whole | other).encode()
        assert register(runs, here, body, lambda _: "r1", NOW).status == 400


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"[" * 10_000, b"\xff", b" " * 20_000, b"null"]
)
def test_what_is_no_json_is_refused(runs: Runs, body: bytes) -> None:
    here, there = socket.socketpair()
    with here, there:
        assert register(runs, here, body, lambda _: "r1", NOW).status == 400


def test_only_a_child_of_its_own_is_taken(listener: socket.socket, runs: Runs) -> None:
    with Launcher(listener) as launcher, Launcher(listener) as other:
        for body in (
            other.request(),
            launcher.request(pid=launcher.pid),
            launcher.request(pid=os.getpid()),
            launcher.request(pid=1),
            launcher.request(start=1),
        ):
            answer = register(runs, launcher.connection, body, lambda _: "r1", NOW)
            assert (answer.status, answer.reason) == (403, "no-child")
        gone = launcher.request(pid=2**31 - 1)
        answer = register(runs, launcher.connection, gone, lambda _: "r1", NOW)
        assert (answer.status, answer.reason) == (403, "process-gone")


def test_a_child_that_runs_already_is_not_taken(
    listener: socket.socket, runs: Runs
) -> None:
    with Launcher(listener) as launcher:
        launcher.do(
            "import subprocess; old, child = child, subprocess.Popen("
            "['sleep', '30'], user=1001, group=1001, extra_groups=[]).pid"
        )
        launcher.root = int(launcher.do("print(child, flush=True)"))
        launcher.said()
        assert asked(runs, launcher).reason == "has-begun"
        launcher.do("os.kill(old, 9); os.waitpid(old, 0)")


def test_the_superuser_is_no_agent(listener: socket.socket, runs: Runs) -> None:
    with Launcher(listener, child=0) as launcher:
        assert asked(runs, launcher).reason == "superuser"


def test_a_launcher_has_one_run(listener: socket.socket, runs: Runs) -> None:
    with Launcher(listener) as launcher:
        assert asked(runs, launcher).status == 201
        assert asked(runs, launcher).reason == "has-a-run"


def test_an_agent_registers_no_other_agent(listener: socket.socket, runs: Runs) -> None:
    with Launcher(listener, ANA) as launcher:
        # The process of the run is itself a launcher: it connected, and has a child.
        with Hold(opened(launcher.pid), launcher.pid) as process:
            run = made(process)
            runs.add(run, Hold(opened(launcher.pid), launcher.pid), hold(os.getpid()))
        answer = asked(runs, launcher)
    assert (answer.status, answer.reason) == (403, "inside-a-run")


def hold(pid: int) -> Hold:
    return Hold(opened(pid), pid)


def made(process: Hold, uid: int = ANA) -> Run:
    return Run(
        id=os.urandom(16).hex(),
        agent=AGENT,  # type: ignore[arg-type]
        rule="r1",
        process=registry.identified(process),
        launcher=registry.identified(hold(os.getpid())),
        started_by=0,
        uid=uid,
        gid=uid,
        program="/usr/bin/bot",
        argv_sha256="0" * 64,
        config_sha256="",
        since=NOW,
    )


def test_one_user_cannot_have_all_runs(
    listener: socket.socket, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MOST_BY_ONE", 1)
    with Launcher(listener) as one, Launcher(listener) as two:
        assert asked(runs, one).status == 201
        assert asked(runs, two).status == 503
        with Launcher(listener, ANA) as three:
            assert asked(runs, three).status == 201


def test_a_disk_that_refuses_is_said(
    listener: socket.socket, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise EnvironmentRefused("no space")

    monkeypatch.setattr(registry, "write_file", full)
    with Launcher(listener) as launcher:
        before = len(os.listdir("/proc/self/fd"))
        assert asked(runs, launcher).status == 503
        assert len(os.listdir("/proc/self/fd")) == before
    assert list(runs) == []


def test_refusals_leave_nothing_open(listener: socket.socket, runs: Runs) -> None:
    with Launcher(listener, ANA) as launcher:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            asked(runs, launcher, lambda launch: "")
            asked(runs, launcher, pid=1)
        assert len(os.listdir("/proc/self/fd")) == before


# The end.


def test_a_run_ends_with_its_process(
    listener: socket.socket, runs: Runs, gone: list[Run]
) -> None:
    with Launcher(listener) as launcher:
        run = asked(runs, launcher).run
        assert list(runs) == [run]
    assert list(runs) == []
    assert gone == [run]
    assert list((runs._folder).iterdir()) == []


def test_its_launcher_ends_it_and_nobody_else(
    listener: socket.socket, runs: Runs, gone: list[Run]
) -> None:
    with Launcher(listener) as launcher, Visitor(listener) as other:
        run = asked(runs, launcher).run
        assert run is not None
        assert finish(runs, other.connection, run.id).status == 404
        assert finish(runs, launcher.connection, "0" * 32).status == 404
        assert list(runs) == [run]
        assert finish(runs, launcher.connection, run.id).status == 204
        assert finish(runs, launcher.connection, run.id).status == 404
        with Hold(opened(launcher.root), launcher.root) as root:
            assert runs.of_process(root) is None
    assert gone == [run]


def test_a_pidfd_is_there_to_watch(listener: socket.socket, runs: Runs) -> None:
    import select

    with Launcher(listener) as launcher:
        run = asked(runs, launcher).run
        assert run is not None
        watched = select.poll()
        watched.register(runs.pidfds()[run.id], select.POLLIN)
        assert watched.poll(0) == []
        launcher.do("os.kill(child, 9); os.waitpid(child, 0)")
        assert watched.poll(1000) != []
        launcher.do(say("child = os.fork()\nif child == 0: os._exit(0)"))


# A service that starts anew, and several processes of one.


def test_another_process_of_the_service_knows_the_run(
    listener: socket.socket, runs: Runs, tmp_path: Path
) -> None:
    other = Runs(tmp_path / "state")
    with Launcher(listener) as launcher:
        run = asked(runs, launcher).run
        assert list(other) == [run]
        with hold(launcher.root) as root:
            assert other.of_process(root) == run
        assert run is not None
        runs.end(run)
        assert list(other) == []
    other.close()


def test_a_service_that_starts_anew_knows_living_runs_and_no_others(
    listener: socket.socket, runs: Runs, tmp_path: Path
) -> None:
    with Launcher(listener) as lives, Launcher(listener) as ends:
        run, other = asked(runs, lives).run, asked(runs, ends).run
        assert run is not None
        assert other is not None
        runs.close()
        ends.end()
        gone: list[Run] = []
        anew = Runs(tmp_path / "state", gone.append)
        assert list(anew) == [run]
        assert gone == [other]
        assert finish(anew, lives.connection, run.id).status == 204
        anew.close()


@pytest.mark.parametrize("what", ["boot", "start", "pid"])
def test_a_file_is_believed_only_of_the_process_it_names(
    listener: socket.socket, runs: Runs, tmp_path: Path, what: str
) -> None:
    with Launcher(listener) as launcher:
        run = asked(runs, launcher).run
        assert run is not None
        runs.close()
        process = {
            "boot": replace(run.process, boot="0" * 36),
            "start": replace(run.process, start=run.process.start - 1),
            "pid": replace(run.process, pid=os.getpid()),
        }[what]
        file = tmp_path / "state" / "runs" / run.id
        file.write_bytes(msgspec.json.encode(replace(run, process=process)))
        anew = Runs(tmp_path / "state")
        assert list(anew) == []
        assert not file.exists()
        anew.close()


@pytest.mark.parametrize("bytes_", [b"", b"{", b"[]", b'{"id": "x"}'])
def test_a_file_that_is_no_run_is_nobodys(
    runs: Runs, tmp_path: Path, bytes_: bytes
) -> None:
    file = tmp_path / "state" / "runs" / ("0" * 32)
    file.write_bytes(bytes_)
    (file.parent / ".half.new").write_bytes(b"{")
    assert list(runs) == []
    assert not file.exists()


# Who belongs.


def test_descendants_are_attested_as_the_agent(
    listener: socket.socket, runs: Runs
) -> None:
    with Launcher(listener) as launcher:
        run = asked(runs, launcher).run
        assert run is not None
    with Visitor(listener, ANA) as visitor:
        # It is our child, and so are neighbours: the launcher has to be another.
        process = hold(visitor.pid)
        run = replace(made(process), launcher=registry.identified(process))
        runs.add(run, process, hold(visitor.pid))
        told = attest_peer(visitor.connection, runs)
        assert told.attestor is Attestor.LAUNCHER
        assert (told.run, told.agent, told.rule) == (run.name, AGENT, "r1")
        assert (told.started, told.started_by) == ("/usr/bin/bot", 0)
        assert not told.advisory
        assert any("descends from it" in each for each in told.proves)
        assert any("terminal of user 0" in each for each in told.does_not_prove)
        assert attest_peer(visitor.connection).attestor is Attestor.UNIX_PEER
        # Without a pidfd of the peer's it could be anybody's descendant.
        blind = attest_peer(visitor.connection, runs, option=9999)
        assert blind.attestor is Attestor.UNIX_PEER
        with Visitor(listener, ANA) as neighbour:
            told = attest_peer(neighbour.connection, runs)
            assert told.attestor is Attestor.UNIX_PEER


def test_a_descendant_of_another_user_is_not_the_agent(
    listener: socket.socket, runs: Runs
) -> None:
    with Visitor(listener, BO) as visitor:
        process = hold(visitor.pid)
        runs.add(made(process, ANA), process, hold(visitor.pid))
        told = attest_peer(visitor.connection, runs)
        assert (told.attestor, told.uid, told.agent) == (Attestor.UNIX_PEER, BO, "")
        # It descends from one all the same, and starts no other.
        with hold(visitor.pid) as process:
            assert runs.above(process) is not None

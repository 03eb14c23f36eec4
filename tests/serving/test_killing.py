"""One kill ends a subject at the gateway and at the token service of one file."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.connectors.config.parse.document import read_config
from answerable.model.config import Config
from answerable.model.errors import EnvironmentRefused
from answerable.serving import killing
from answerable.serving.killing import GATEWAY, SERVICE, Kills
from answerable.serving.kills import KillFile

AGENT, RUN = "agent:declared/triage", "run:d-1"
BOTH = (GATEWAY, SERVICE)
SERVERS = 'servers: {files: {url: "https://files.example/mcp"}}'
OTHER = 4242  # a user id


def sts(folder: Path, state: str = "") -> str:
    listen = f"listen: [{{unix: {folder / 'sts.sock'}}}]"
    kept = f", state: {state}" if state else ""
    return f'sts: {{url: "https://sts.example", {listen}{kept}}}'


def config_of(folder: Path, *sections: str) -> Config:
    text = "\n".join((f"store: {folder / 'store'}", *sections))
    place = folder / "answerable.yaml"
    place.write_text(text)
    reading = read_config(text.encode(), str(place), str(folder))
    assert reading.config is not None, reading.faults
    return reading.config


def kills_of(folder: Path, *sections: str) -> Kills:
    return Kills(folder / "store", config_of(folder, *sections))


def killed(folder: Path, *doors: str) -> list[frozenset[str]]:
    return [KillFile(folder / "store" / each).read() for each in doors]


@contextmanager
def service(folder: Path, status: int, said: bytes) -> Iterator[list[bytes]]:
    """A process at the socket of the token service, that answers as it is told."""
    asked: list[bytes] = []
    head = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(said))

    def serve() -> None:
        while True:
            try:
                wire, _ = listening.accept()
            except OSError:
                return
            with wire:
                asked.append(wire.recv(65536))
                wire.sendall(head + said)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "sts.sock"))
        listening.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def took(new: bool = True, *ended: str) -> bytes:
    return json.dumps({"subject": AGENT, "new": new, "ended": ended}).encode()


def test_where_none_runs_it_waits_in_both_folders_and_is_taken_back_from_both(
    tmp_path: Path,
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    done = kills.kill(AGENT, "ana")
    assert (done.is_new, done.at, done.ended, done.refused) == (True, BOTH, None, ())
    assert killed(tmp_path, "gateway", "sts") == [{AGENT}, {AGENT}]
    assert not kills.kill(AGENT, "ben").is_new
    assert {note.by for note in kills.told().values()} == {"ana"}
    back = kills.revive(AGENT)
    assert (back.is_new, back.at) == (True, BOTH)
    assert killed(tmp_path, "gateway", "sts") == [frozenset(), frozenset()]
    assert not kills.revive(AGENT).is_new


@pytest.mark.parametrize(
    ("subject", "at"),
    [
        (AGENT, BOTH),
        (RUN, BOTH),
        ("person:ana@corp.example", BOTH),
        ("rule:desk", BOTH),
        ("issuer:corp", BOTH),
        ("server:files", (GATEWAY,)),
        ("tool:mcp/files/read", (GATEWAY,)),
        ("principal:https://sts.example/x", (GATEWAY,)),
    ],
)
def test_what_only_a_call_is_goes_to_the_gateway_alone(
    tmp_path: Path, subject: str, at: tuple[str, ...]
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    assert kills.kill(subject, "").at == at
    assert kills.revive(subject).at == at


def test_a_door_that_the_file_does_not_have_is_not_written_to(tmp_path: Path) -> None:
    assert kills_of(tmp_path, SERVERS).kill(AGENT, "").at == (GATEWAY,)
    assert not (tmp_path / "store" / "sts").exists()
    alone = tmp_path / "alone"
    alone.mkdir()
    assert kills_of(alone, sts(alone)).kill(AGENT, "").at == (SERVICE,)
    assert not (alone / "store" / "gateway").exists()
    with pytest.raises(EnvironmentRefused, match="no door"):
        kills_of(alone, sts(alone)).kill("server:files", "")


def test_what_ended_at_a_service_that_runs_the_gateway_refuses_too(
    tmp_path: Path,
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with service(tmp_path, 200, took(True, "d-1", "d-2")) as asked:
        done = kills.kill(AGENT, "ana")
    assert (done.at, done.ended, done.refused) == (BOTH, ("d-1", "d-2"), ())
    assert killed(tmp_path, "gateway", "sts") == [{AGENT, RUN, "run:d-2"}, frozenset()]
    assert asked[0].startswith(b"POST /admin/kill ")
    assert asked[0].endswith(json.dumps({"subject": AGENT, "by": "ana"}).encode())
    (tmp_path / "sts.sock").unlink()
    revived = json.dumps({"subject": AGENT, "revived": True}).encode()
    with service(tmp_path, 200, revived) as asked:
        assert kills.revive(AGENT).is_new
    assert asked[0].startswith(b"POST /admin/revive ")


def test_a_gateway_that_refuses_what_ended_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = KillFile.kill

    def full(self: KillFile, subject: str, by: str = "") -> bool:
        if subject.startswith("run:"):
            raise EnvironmentRefused("no space left", "")
        return write(self, subject, by)

    monkeypatch.setattr(KillFile, "kill", full)
    with service(tmp_path, 200, took(True, "d-1")):
        done = kills_of(tmp_path, SERVERS, sts(tmp_path)).kill(AGENT, "")
    assert (done.at, done.refused) == ((SERVICE,), ("the gateway: no space left",))


@pytest.mark.parametrize(
    ("status", "said"), [(404, b""), (503, b"{}"), (200, b"[]"), (200, b"junk")]
)
@pytest.mark.parametrize("is_its_own", [True, False])
def test_one_that_does_not_take_it_finds_it_in_its_folder_where_that_is_its_own(
    tmp_path: Path,
    status: int,
    said: bytes,
    is_its_own: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = tmp_path / "store" / "sts"
    state.mkdir(parents=True, mode=0o700)
    if not is_its_own:
        monkeypatch.setattr(killing, "_owner_of", lambda place: OTHER)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with service(tmp_path, status, said):
        done = kills.kill(AGENT, "")
        back = kills.revive(AGENT)
    assert done.at == back.at == (BOTH if is_its_own else (GATEWAY,))
    if is_its_own:
        return
    # A file that nobody reads is no kill.
    assert not (state / "kills").exists()
    (refused,), (hint,) = done.refused, done.hints
    assert refused.startswith("the token service: it runs as user ")
    place = tmp_path / "answerable.yaml"
    assert hint.endswith(f"answerable sts kill {AGENT} --config {place}")
    assert back.hints[0].endswith(f"answerable sts revive {AGENT} --config {place}")


def test_a_socket_that_we_may_not_see_is_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forbidden(socket.socket):
        def connect(self, place: object) -> None:
            raise PermissionError

    monkeypatch.setattr(socket, "socket", Forbidden)
    monkeypatch.setattr(killing, "_owner_of", lambda place: killing.SOMEBODY)
    done = kills_of(tmp_path, SERVERS, sts(tmp_path)).kill(AGENT, "")
    assert done.at == (GATEWAY,)
    assert "another user" in done.refused[0]


def test_where_neither_takes_it_that_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    kills = kills_of(tmp_path, SERVERS, f"state: {below}", sts(tmp_path, str(below)))
    with pytest.raises(EnvironmentRefused, match="not killed") as caught:
        kills.kill(AGENT, "")
    assert "the gateway: " in caught.value.message
    assert "the token service: " in caught.value.message
    with pytest.raises(EnvironmentRefused, match="not revived"):
        kills.revive(AGENT)


@pytest.mark.parametrize("door", ["gateway", "sts"])
def test_either_command_kills_at_both_doors_and_says_where_it_could_not(
    tmp_path: Path, door: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config_of(tmp_path, SERVERS, sts(tmp_path))
    words = ["--config", str(tmp_path / "answerable.yaml")]
    assert main([door, "kill", RUN, *words]) == 0
    said = capsys.readouterr().err
    assert (
        f"{RUN}: killed, within a second, at the gateway and the token service" in said
    )
    assert "the token service does not run" in said
    assert killed(tmp_path, "gateway", "sts") == [{RUN}, {RUN}]
    assert main([door, "kill", RUN, *words]) == 0
    assert "killed already" in capsys.readouterr().err
    assert main([door, "revive", RUN, *words]) == 0
    assert "revived" in capsys.readouterr().err
    assert killed(tmp_path, "gateway", "sts") == [frozenset(), frozenset()]
    (tmp_path / "file").write_text("")
    config_of(tmp_path, SERVERS, sts(tmp_path, str(tmp_path / "file" / "below")))
    for act in ("kill", "revive"):
        assert main([door, act, RUN, *words]) == 5
        said = capsys.readouterr().err
        assert f"{RUN}: {act}" in said
        assert f"as the token service's user: answerable sts {act} {RUN}" in said
    assert killed(tmp_path, "gateway") == [frozenset()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_root_kills_the_folders_user_can_read(tmp_path: Path) -> None:
    state, aim = tmp_path / "state", tmp_path / "aim"
    state.mkdir(mode=0o700)
    os.chown(state, OTHER, OTHER)
    aim.write_text("as it was")
    # Whoever the folder belongs to cannot have root write elsewhere.
    beside = state / f".kills.{threading.get_native_id()}.new"
    beside.symlink_to(aim)
    KillFile(state).kill(AGENT)
    facts = (state / "kills").stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o777) == (OTHER, OTHER, 0o600)
    assert aim.read_text() == "as it was"
    assert aim.stat().st_uid == 0
    # Nor where it is there again in the same moment.
    with pytest.MonkeyPatch.context() as patched:
        beside.symlink_to(aim)
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(EnvironmentRefused):
            KillFile(state).kill(RUN)
    assert aim.read_text() == "as it was"

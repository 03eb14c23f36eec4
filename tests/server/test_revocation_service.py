"""One kill ends a subject at the gateway and at the token service of one file."""

import json
import os
import socket
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.server import admin_client, revocation_service
from answerable.server import revocation_list as kills_module
from answerable.server.recording.segments import SegmentWriter
from answerable.server.revocation_list import RevocationFile, RevocationNote
from answerable.server.revocation_service import GATEWAY, SERVICE
from answerable.server.store_access import create_store
from tests.server.configured_servers import (
    AGENT,
    BOTH,
    OTHER,
    RUN,
    SERVERS,
    killed,
    kills_of,
    service,
    state_of,
    sts,
    took,
)


def test_where_none_runs_it_waits_in_the_store_and_is_taken_back_from_it(
    tmp_path: Path,
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    done = kills.revoke(AGENT, "ana")
    assert (done.is_new, done.at, done.ended, done.refused) == (True, BOTH, None, ())
    assert killed(tmp_path) == {AGENT}
    assert not kills.revoke(AGENT, "ben").is_new
    assert {note.by for note in kills.list_revoked().values()} == {"ana"}
    back = kills.reinstate(AGENT)
    assert (back.is_new, back.at) == (True, BOTH)
    assert killed(tmp_path) == frozenset()
    assert not kills.reinstate(AGENT).is_new


@pytest.mark.parametrize(
    ("subject", "at"),
    [
        (AGENT, BOTH),
        (RUN, BOTH),
        ("person:ana@corp.example", BOTH),
        # No call says these, so a gateway refuses nothing for them by itself.
        ("rule:desk", (SERVICE,)),
        ("issuer:corp", (SERVICE,)),
        ("server:files", (GATEWAY,)),
        ("tool:mcp/files/read", (GATEWAY,)),
        ("principal:https://sts.example/x", (GATEWAY,)),
    ],
)
def test_a_kill_goes_where_it_stops_something_by_itself(
    tmp_path: Path, subject: str, at: tuple[str, ...]
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    assert kills.revoke(subject, "").at == at
    assert kills.reinstate(subject).at == at


def test_a_door_that_the_file_does_not_have_is_not_written_to(tmp_path: Path) -> None:
    assert kills_of(tmp_path, SERVERS).revoke(AGENT, "").at == (GATEWAY,)
    assert not (tmp_path / "store" / "sts").exists()
    alone = tmp_path / "alone"
    alone.mkdir()
    assert kills_of(alone, sts(alone)).revoke(AGENT, "").at == (SERVICE,)
    assert not (alone / "store" / "gateway").exists()
    with pytest.raises(EnvironmentFailure, match="no door"):
        kills_of(alone, sts(alone)).revoke("server:files", "")
    for subject in ("rule:nope", "issuer:nope"):
        with pytest.raises(EnvironmentFailure, match="no door"):
            kills_of(tmp_path, SERVERS).revoke(subject, "")
        assert subject not in RevocationFile(tmp_path / "store" / "gateway").read()


def test_a_rule_is_killed_at_the_gateway_once_it_is_known_what_was_given(
    tmp_path: Path,
) -> None:
    state_of(tmp_path)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    for _ in range(2):  # as often as it is asked
        with service(tmp_path, 200, took(True, "d-1", "d-2")):
            done = kills.revoke("rule:desk", "ana")
        (tmp_path / "sts.sock").unlink()
        assert (set(done.at), done.ended) == (set(BOTH), ("d-1", "d-2"))
        assert not any("serve there until they end" in each for each in done.waits)
        assert killed(tmp_path) == {"rule:desk", RUN, "run:d-2"}
    with service(tmp_path, 200, took(True)):
        assert set(kills.revoke("rule:idle", "ana").at) == set(BOTH)
    (tmp_path / "sts.sock").unlink()
    for unknown in ("null", '"d-1"', '["d\\n1"]', "[1, {}]"):
        said = b'{"new": true, "ended": %s}' % unknown.encode()
        with service(tmp_path, 200, said):
            done = kills.revoke("issuer:corp", "ana")
        (tmp_path / "sts.sock").unlink()
        assert (done.at, done.ended) == ((SERVICE,), None), unknown
        assert "answerable kill rule:ID --config" in done.waits[-1]


def test_a_rule_that_stands_at_the_gateway_is_taken_back_there_too(
    tmp_path: Path,
) -> None:
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    RevocationFile(tmp_path / "store" / "gateway").revoke("rule:desk")
    assert set(kills.reinstate("rule:desk").at) == set(BOTH)
    assert killed(tmp_path) == frozenset()


@pytest.mark.parametrize(
    ("subject", "is_half"),
    [
        ("rule:desk", True),
        ("person:ana@corp.example", True),
        (RUN, True),
        (AGENT, False),
        ("server:files", False),
    ],
)
def test_what_the_gateway_cannot_know_is_said_with_what_to_run(
    tmp_path: Path, subject: str, is_half: bool
) -> None:
    done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(subject, "")
    said = [each for each in done.waits if "serve there until they end" in each]
    assert bool(said) is is_half
    for each in said:
        assert "answerable kill run:DELEGATION --config" in each
        assert "run this again" in each
    alone = tmp_path / "alone"
    alone.mkdir()
    if subject != "server:files":
        # No gateway of the file, nothing to say of it.
        (told,) = kills_of(alone, sts(alone)).revoke(subject, "").waits
        assert told.startswith("the token service does not run")


def test_forty_thousand_delegations_are_one_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = kills_module.write_file
    monkeypatch.setattr(
        kills_module,
        "write_file",
        lambda path, data, **how: (writes.append(len(data)), write(path, data, **how)),
    )
    state_of(tmp_path)
    runs = [f"{number:032x}" for number in range(40_000)]
    said = took(True, *runs)
    assert len(said) > 1 << 20
    with service(tmp_path, 200, said):
        done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(AGENT, "")
    assert (done.at, len(done.ended or ())) == (BOTH, len(runs))
    assert killed(tmp_path) == {AGENT, *(f"run:{each}" for each in runs)}
    assert len(writes) == 2


def test_nobody_is_believed_but_who_owns_the_folder_and_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = state_of(tmp_path)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    # One at the socket that is neither, though it answers just as the service does.
    monkeypatch.setattr(admin_client, "socket_peer_uid", lambda wire: OTHER)
    with service(tmp_path, 200, took(True, "d-1")) as asked:
        done = kills.revoke(AGENT, "ana")
    assert (done.at, done.ended) == ((GATEWAY,), None)
    assert "its word is not taken" in done.refused[0]
    assert f"{state} is " in done.refused[0]
    assert asked in ([], [b""]), "it hears of nothing"
    (tmp_path / "sts.sock").unlink()
    for owner, peer in ((OTHER, OTHER), (OTHER, 0)):
        monkeypatch.setattr(
            revocation_service, "file_owner", lambda _, owner=owner: owner
        )
        monkeypatch.setattr(admin_client, "socket_peer_uid", lambda _, peer=peer: peer)
        with service(tmp_path, 200, took(True, "d-1")):
            assert kills.revoke(AGENT, "ana").at == BOTH
        (tmp_path / "sts.sock").unlink()


def test_one_that_drips_is_waited_for_no_longer_than_one_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_client, "REQUEST_TIMEOUT", 0.2)
    state_of(tmp_path)
    ended = threading.Event()

    def drip() -> None:
        wire, _ = listening.accept()
        with wire, suppress(OSError):
            while not ended.wait(0.02):
                wire.sendall(b" ")

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "sts.sock"))
        listening.listen()
        thread = threading.Thread(target=drip)
        thread.start()
        done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(AGENT, "")
        ended.set()
        thread.join(10)
    assert (done.at, done.ended) == (BOTH, None)
    assert killed(tmp_path) == {AGENT}


def test_a_kill_says_where_no_gateway_runs_that_would_read_it(tmp_path: Path) -> None:
    kills = kills_of(tmp_path, SERVERS)
    state = tmp_path / "store" / "gateway"
    (said,) = kills.revoke(AGENT, "").waits
    assert said.startswith(f"no gateway runs with {state}: the kill waits in")
    assert "--store" in said
    ended = SegmentWriter(state / "spool", "one")
    ended.close()
    assert kills.revoke(AGENT, "").waits == (said,)
    # A worker of the gateway, a wrapper, or the decision point, which it binds too.
    for spool in (state / "spool", tmp_path / "store" / "decisions" / "spool"):
        running = SegmentWriter(spool, "two")
        assert kills.revoke(AGENT, "").waits == ()
        running.close()
    assert kills.revoke(AGENT, "").waits == (said,)


def test_what_ended_at_a_service_that_runs_the_gateway_refuses_too(
    tmp_path: Path,
) -> None:
    state_of(tmp_path)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with service(tmp_path, 200, took(True, "d-1", "d-2")) as asked:
        done = kills.revoke(AGENT, "ana")
    assert (done.at, done.ended, done.refused) == (BOTH, ("d-1", "d-2"), ())
    assert killed(tmp_path) == {AGENT, RUN, "run:d-2"}
    assert asked[0].startswith(b"POST /admin/kill ")
    assert asked[0].endswith(json.dumps({"subject": AGENT, "by": "ana"}).encode())
    (tmp_path / "sts.sock").unlink()
    revived = json.dumps({"subject": AGENT, "revived": True}).encode()
    with service(tmp_path, 200, revived) as asked:
        assert kills.reinstate(AGENT).is_new
    assert asked[0].startswith(b"POST /admin/revive ")


def test_a_gateway_that_refuses_what_ended_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RevocationFile.revoke_all

    def full(
        self: RevocationFile, subjects: Collection[str], note: RevocationNote
    ) -> bool:
        if any(each.startswith("run:") for each in subjects):
            raise EnvironmentFailure("no space left", "")
        return write(self, subjects, note)

    monkeypatch.setattr(RevocationFile, "revoke_all", full)
    state_of(tmp_path)
    with service(tmp_path, 200, took(True, "d-1")):
        done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(AGENT, "")
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
    state = state_of(tmp_path)
    if not is_its_own:
        monkeypatch.setattr(revocation_service, "file_owner", lambda place: OTHER)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with service(tmp_path, status, said):
        done = kills.revoke(AGENT, "")
        back = kills.reinstate(AGENT)
    assert done.at == back.at == (BOTH if is_its_own else (GATEWAY,))
    if is_its_own:
        return
    # A file that nobody reads is no kill.
    assert not (state / "kills").exists()
    (refused,), (hint,) = done.refused, done.hints
    assert refused.startswith("the token service: it runs as user ")
    place = tmp_path / "answerable.yaml"
    assert hint.endswith(f"answerable kill {AGENT} --config {place}")
    assert back.hints[0].endswith(f"answerable revive {AGENT} --config {place}")


def test_a_socket_that_we_may_not_see_is_somebody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forbidden(socket.socket):
        def connect(self, place: object) -> None:
            raise PermissionError

    monkeypatch.setattr(socket, "socket", Forbidden)
    for module in (revocation_service, admin_client):
        monkeypatch.setattr(
            module, "owner_of", lambda place: revocation_service.UNKNOWN_UID
        )
    done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(AGENT, "")
    assert done.at == (GATEWAY,)
    assert "another user" in done.refused[0]


def test_where_neither_takes_it_that_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with pytest.raises(EnvironmentFailure, match="not killed") as caught:
        kills.revoke(AGENT, "")
    assert "the gateway: " in caught.value.message
    assert "the token service: " in caught.value.message
    with pytest.raises(EnvironmentFailure, match="not revived"):
        kills.reinstate(AGENT)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_what_root_kills_the_folders_user_can_read(tmp_path: Path) -> None:
    state, aim = tmp_path / "state", tmp_path / "aim"
    state.mkdir(mode=0o700)
    os.chown(state, OTHER, OTHER)
    aim.write_text("as it was")
    # Whoever the folder belongs to cannot have root write elsewhere.
    beside = state / f".kills.{threading.get_native_id()}.new"
    beside.symlink_to(aim)
    RevocationFile(state).revoke(AGENT)
    facts = (state / "kills").stat()
    assert (facts.st_uid, facts.st_gid, facts.st_mode & 0o777) == (OTHER, OTHER, 0o600)
    assert aim.read_text() == "as it was"
    assert aim.stat().st_uid == 0
    # Nor where it is there again in the same moment.
    with pytest.MonkeyPatch.context() as patched:
        beside.symlink_to(aim)
        patched.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(EnvironmentFailure):
            RevocationFile(state).revoke(RUN)
    assert aim.read_text() == "as it was"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")
def test_servers_of_other_users_are_reached_in_their_own_folders(
    tmp_path: Path,
) -> None:
    """Gateway and token service run as users of their own, each with its own store."""
    states = {name: tmp_path / name for name in ("gateway-state", "sts-state")}
    for number, state in enumerate(states.values()):
        state.mkdir(mode=0o700)
        os.chown(state, OTHER + number, OTHER + number)
    gateway, service = states.values()
    create_store(tmp_path / "store")
    kills = kills_of(
        tmp_path, SERVERS, f"state: {gateway}", sts(tmp_path, str(service))
    )
    assert kills.revoke(AGENT, "root", "why").at == BOTH
    for number, state in enumerate(states.values()):
        assert RevocationFile(state).read() == {AGENT}
        assert (state / "kills").stat().st_uid == OTHER + number
    assert RevocationFile(tmp_path / "store").read() == {AGENT}
    assert kills.reinstate(AGENT).is_new
    for folder in (*states.values(), tmp_path / "store"):
        assert not RevocationFile(folder).read()


def test_a_preview_changes_nothing_and_says_what_would_end(tmp_path: Path) -> None:
    state_of(tmp_path)
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    with service(tmp_path, 200, took(True, "d-1", "d-2")) as asked:
        done = kills.preview(AGENT)
    assert (done.is_new, done.at, done.ended) == (True, BOTH, ("d-1", "d-2"))
    assert done.waiting == (GATEWAY,)
    assert asked[0].startswith(b"POST /admin/given ")
    assert killed(tmp_path) == frozenset()
    (tmp_path / "sts.sock").unlink()
    kills.revoke(AGENT, "ana")
    done = kills.preview(AGENT)
    assert (done.is_new, done.ended, done.waiting) == (False, None, BOTH)


def test_kills_of_a_service_whose_folder_we_may_not_enter_are_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state_of(tmp_path) / "kills").mkdir()  # it cannot be read
    monkeypatch.setattr(
        RevocationFile, "is_accessible", lambda file: "sts" not in str(file.path)
    )
    kills = kills_of(tmp_path, SERVERS, sts(tmp_path))
    kills.revoke(AGENT, "ana")
    assert set(kills.list_revoked()) == {AGENT}
    assert kills.reinstate(AGENT).at == BOTH

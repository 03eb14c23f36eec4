"""A revocation across servers whose state folders belong to other users."""

import os
import socket
import threading
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.server import admin_client, revocation_service
from answerable.server.revocation_list import RevocationFile
from answerable.server.revocation_service import GATEWAY
from answerable.server.store_access import create_store
from tests.server.configured_servers import (
    AGENT,
    BOTH,
    OTHER,
    RUN,
    SERVERS,
    kills_of,
    service,
    state_of,
    sts,
    took,
)


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
    assert "its response is not trusted" in done.refused[0]
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
            module, "file_owner", lambda place: revocation_service.UNKNOWN_UID
        )
    done = kills_of(tmp_path, SERVERS, sts(tmp_path)).revoke(AGENT, "")
    assert done.at == (GATEWAY,)
    assert "another user" in done.refused[0]


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
        assert RevocationFile(state).read_subjects() == {AGENT}
        assert (state / "kills").stat().st_uid == OTHER + number
    assert RevocationFile(tmp_path / "store").read_subjects() == {AGENT}
    assert kills.reinstate(AGENT).is_new
    for folder in (*states.values(), tmp_path / "store"):
        assert not RevocationFile(folder).read_subjects()


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

"""A session id is worth something to the caller it was given to, at that server."""

import os
import re
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.gateway.session_ids import SessionIdBinder
from answerable.model.errors import EnvironmentFailure
from answerable.server.mcp.request_metadata import SESSION
from answerable.server.shared_secret import FILE_NAME, derive_key, load_shared_secret

SECRET = bytes(32)
IDS = st.from_regex(re.compile(r"[!-~]{1,1001}"), fullmatch=True)
SERVERS = st.from_regex(re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}"), fullmatch=True)
PRINCIPALS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1)


@given(IDS, SERVERS, PRINCIPALS)
def test_a_session_is_found_by_its_own_caller(
    session: str, server: str, principal: str
) -> None:
    text = SessionIdBinder(SECRET).bind_to_caller(session, server, principal)
    assert SESSION.fullmatch(text)
    assert SessionIdBinder(SECRET).verify_for_caller(text, server, principal) == session


@given(IDS, SERVERS, PRINCIPALS, SERVERS, PRINCIPALS)
def test_to_anybody_else_it_does_not_exist(
    session: str, server: str, principal: str, elsewhere: str, another: str
) -> None:
    text = SessionIdBinder(SECRET).bind_to_caller(session, server, principal)
    if another != principal:
        assert SessionIdBinder(SECRET).verify_for_caller(text, server, another) is None
    if elsewhere != server:
        assert (
            SessionIdBinder(SECRET).verify_for_caller(text, elsewhere, principal)
            is None
        )
    assert SessionIdBinder(b"x" * 32).verify_for_caller(text, server, principal) is None


@given(IDS, st.text(max_size=60))
def test_what_was_not_given_is_unknown(session: str, text: str) -> None:
    ours = SessionIdBinder(SECRET)
    whole = ours.bind_to_caller(session, "weather", "corp/a")
    for other in (text, session, "." + session, whole + "x", whole[1:], "x" + whole):
        assert ours.verify_for_caller(other, "weather", "corp/a") is None


def test_every_worker_reads_the_same_secret(tmp_path: Path) -> None:
    state = tmp_path / "a" / "state"
    secret = load_shared_secret(state)
    assert (len(secret), load_shared_secret(state)) == (32, secret)
    assert stat.S_IMODE((state / FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert [path.name for path in state.iterdir()] == [FILE_NAME]
    assert derive_key(secret, "session") != derive_key(secret, "dpop-nonce")


def test_workers_that_start_at_once_read_the_same_secret(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    children = []
    for _ in range(8):
        child = os.fork()
        if not child:
            os.write(writing, load_shared_secret(tmp_path))
            os._exit(0)
        children.append(child)
    ended = [os.waitpid(child, 0)[1] for child in children]
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        secrets = told.read()
    assert ended == [0] * 8
    assert secrets == secrets[:32] * 8


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_secret_of_another_size_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / FILE_NAME).touch(0o600)
    (tmp_path / FILE_NAME).write_bytes(b"x" * size)
    with pytest.raises(EnvironmentFailure):
        load_shared_secret(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    secret = load_shared_secret(tmp_path)
    (tmp_path / FILE_NAME).chmod(mode)
    with pytest.raises(EnvironmentFailure) as caught:
        load_shared_secret(tmp_path)
    assert secret.hex() not in str(caught.value)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever writes it could put another secret there, and take kills back."""
    load_shared_secret(tmp_path)
    tmp_path.chmod(mode)
    with pytest.raises(EnvironmentFailure, match="others can write it"):
        load_shared_secret(tmp_path)
    tmp_path.chmod(0o755)
    assert load_shared_secret(tmp_path)


def test_a_link_to_a_secret_is_refused(tmp_path: Path) -> None:
    load_shared_secret(tmp_path / "elsewhere")
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "elsewhere" / FILE_NAME)
    with pytest.raises(EnvironmentFailure):
        load_shared_secret(tmp_path)

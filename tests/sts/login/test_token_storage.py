"""Where a sign-in is kept: for its user alone, until it expires, and never shown."""

import os
import stat
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import build_person_id
from answerable.services.federation import stored_login
from answerable.services.federation.stored_login import (
    StoredLogin,
    load_login,
    remove_login,
    store_login,
)
from answerable.usecases.federation import login_status

NOW = 1_800_000_000
ANA = StoredLogin(
    "corp",
    "https://idp.example",
    build_person_id("ana@example.com"),
    NOW + 300,
    "aaa.bbb.ccc",
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "answerable"


def test_what_is_kept_comes_back_until_it_expires(folder: Path):
    store_login(folder, ANA)
    assert load_login(folder, NOW) == ANA
    assert load_login(folder, NOW + 299) == ANA
    assert load_login(folder, NOW + 300) is None


def test_file_and_folder_are_their_user_s_alone_whatever_the_umask(folder: Path):
    old = os.umask(0)
    try:
        store_login(folder, ANA)
    finally:
        os.umask(old)
    assert mode(folder / stored_login.FILE_NAME) == 0o600
    assert mode(folder) == mode(folder.parent) == 0o700
    assert os.listdir(folder) == [stored_login.FILE_NAME]


def test_a_folder_that_others_may_look_into_is_not_used(folder: Path):
    folder.mkdir(parents=True)
    folder.chmod(0o750)
    with pytest.raises(EnvironmentFailure, match="other users can read"):
        store_login(folder, ANA)
    assert os.listdir(folder) == []


def test_a_folder_that_is_a_link_is_not_used(folder: Path, tmp_path: Path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.parent.mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EnvironmentFailure):
        store_login(folder, ANA)
    assert os.listdir(tmp_path / "elsewhere") == []


def open_to_others(path: Path) -> None:
    path.chmod(0o640)


def link(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to(path.with_name("other"))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def other_schema(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"kept/v1", b"kept/v2"))


def unknown_member(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'{"', b'{"x":1,"', 1))


def nobody(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"person:ana@example.com", b""))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    "spoil", [open_to_others, link, pipe, other_schema, unknown_member, nobody, empty]
)
def test_a_spoiled_file_gives_nobody(folder: Path, spoil):
    store_login(folder, ANA)
    spoil(folder / stored_login.FILE_NAME)
    with pytest.raises(EnvironmentFailure) as caught:
        load_login(folder, NOW)
    assert ANA.id_token not in caught.value.message
    assert "answerable logout" in caught.value.hint


def test_nobody_is_signed_in_where_nothing_is_kept(folder: Path):
    assert load_login(folder, NOW) is None
    document = login_status.show_login_status(folder, NOW)
    assert (document.items, document.failed) == ([], True)


def test_status_says_who_and_until_when_and_never_the_token(folder: Path):
    store_login(folder, ANA)
    document = login_status.show_login_status(folder, NOW)
    (item,) = document.items
    assert item["person"] == "person:ana@example.com"
    assert item["expires_at"] == "2027-01-15T08:05:00Z"
    assert ANA.id_token not in str(document)
    assert not document.failed


def test_logout_removes_it_and_says_whether_there_was_any(folder: Path):
    store_login(folder, ANA)
    assert remove_login(folder)
    assert not remove_login(folder)
    assert load_login(folder, NOW) is None


def test_another_sign_in_takes_the_place_of_the_first(folder: Path):
    store_login(folder, ANA)
    store_login(folder, _bo())
    found = load_login(folder, NOW)
    assert found is not None
    assert found.person == "person:bo@example.com"


def _bo() -> StoredLogin:
    return StoredLogin(
        "corp", ANA.iss, build_person_id("bo@example.com"), NOW + 9, "d.e.f"
    )


def test_a_sign_in_shows_no_token_when_printed():
    assert ANA.id_token not in repr(ANA)


def test_the_folder_is_in_memory_where_there_is_a_runtime_folder(tmp_path: Path):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    environ = {"XDG_RUNTIME_DIR": str(runtime), "XDG_STATE_HOME": "/elsewhere"}
    assert stored_login.find_login_folder(environ, tmp_path) == runtime / "answerable"
    runtime.chmod(0o755)
    assert stored_login.find_login_folder(environ, tmp_path) == Path(
        "/elsewhere/answerable"
    )


@pytest.mark.parametrize("name", ["", "relative/path", "."])
def test_a_relative_folder_is_no_place(tmp_path: Path, name: str):
    environ = {"XDG_RUNTIME_DIR": name, "XDG_STATE_HOME": name}
    usual = tmp_path / ".local/state/answerable"
    assert stored_login.find_login_folder(environ, tmp_path) == usual

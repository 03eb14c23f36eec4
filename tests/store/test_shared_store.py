"""A store whose folder is shared with a group: its members use it, no others do."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import make_store_folder, write_file
from answerable.store.store import EvidenceStore
from tests.store.conftest import _make as make

SHARED = 0o2770


@pytest.fixture(params=[0o077, 0o022, 0o007], ids="umask {0:03o}".format)
def shared(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = tmp_path / "store"
    folder.mkdir()
    folder.chmod(SHARED)
    before = os.umask(request.param)
    yield folder
    os.umask(before)


def fill(folder: Path) -> None:
    with EvidenceStore.open(folder, now=0) as store:
        store.append([make(n) for n in range(3)], 1)
        store.seal(2)
        store.put_object("sync", b"{}", 3)
        store.append([make(3)], 4)


def use_keys(folder: Path) -> None:
    with EvidenceStore.open(folder, now=5) as store:
        store.fingerprint("x")
        store.put_object("sync", b"[]", 6)


def list_modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mode for path in folder.rglob("*")
    }


def test_each_file_of_a_shared_store_is_for_its_group_and_for_no_others(
    shared: Path,
) -> None:
    fill(shared)
    modes = list_modes(shared)
    assert len(modes) > 15
    for name, mode in modes.items():
        wanted = SHARED if stat.S_ISDIR(mode) else 0o660
        assert stat.S_IMODE(mode) == wanted, name
    fill(shared)  # and it can be opened


def test_each_file_of_another_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    # A folder around it that a group shares declares nothing for the store.
    tmp_path.chmod(SHARED)
    fill(tmp_path / "store")
    for name, mode in list_modes(tmp_path).items():
        assert not mode & 0o077, name


@pytest.mark.parametrize("name", ["keys", "keys/log.key", "keys/fingerprint.key"])
def test_a_key_that_others_than_the_group_may_read_is_refused(
    shared: Path, name: str
) -> None:
    fill(shared)
    path = shared / name
    path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IROTH)
    with pytest.raises(EnvironmentFailure, match="by others than") as refused:
        use_keys(shared)
    assert refused.value.hint.endswith(f"chmod o= {path}")
    assert "\n" not in refused.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change the group")
def test_a_key_of_another_group_is_refused(shared: Path) -> None:
    fill(shared)
    os.chown(shared / "keys" / "log.key", -1, 4242)
    with pytest.raises(EnvironmentFailure, match="its group is #4242"):
        use_keys(shared)


@pytest.mark.parametrize("mode", [0o2775, 0o770, 0o2750])
def test_a_folder_that_others_may_use_or_the_group_may_not_write_shares_no_keys(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "store"
    fill(folder)
    for path in (folder, folder / "keys"):
        path.chmod(mode)
    if mode == 0o2750:  # the group may read it all, and change nothing
        fill(folder)
        return
    with pytest.raises(EnvironmentFailure, match="can be read by others"):
        fill(folder)


def test_a_private_file_in_a_shared_folder_is_for_its_owner_alone(shared: Path) -> None:
    write_file(shared / "mine", b"x", private=True)
    write_file(shared / "ours", b"x")
    make_store_folder(shared / "state", read_only=True)
    write_file(shared / "state" / "seen", b"x")
    modes = {name: stat.S_IMODE(mode) for name, mode in list_modes(shared).items()}
    assert modes == {
        "mine": 0o600,
        "ours": 0o660,
        "state": 0o2750,
        "state/seen": 0o640,
    }


def test_a_store_whose_modes_kubernetes_changed_for_fs_group_opens(
    tmp_path: Path,
) -> None:
    # fsGroupChangePolicy: Always adds these permissions when a pod starts.
    folder = tmp_path / "store"
    fill(folder)
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(stat.S_IMODE(mode) | (0o2770 if stat.S_ISDIR(mode) else 0o660))
    use_keys(folder)
    fill(folder)

"""Root leaves no file in the store of a service's user that its owner cannot read."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.server.recording.spool_segments import SegmentWriter
from answerable.server.revocation_list import RevocationFile
from answerable.server.state_lock import lock_state_folder
from answerable.store.durable_files import act_as_folder_owner
from answerable.store.store import EvidenceStore

OTHER = 4242

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root writes for others")


@pytest.fixture
def store() -> Iterator[Path]:
    """A store of a service's user, in a folder that it may enter."""
    # Not in pytest's own folder, which each session closes to others.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        root = Path(folder) / "store"
        root.mkdir()
        os.chown(root, OTHER, OTHER)
        with act_as_folder_owner(root):
            EvidenceStore.open(root, now=1).close()
        yield root


def foreign(store: Path) -> list[Path]:
    """Files and folders of the store that its owner does not own."""
    return [each for each in store.rglob("*") if each.lstat().st_uid != OTHER]


def run(store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "answerable", "--store", str(store), *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=store.parent
    )


@pytest.mark.world
def test_root_is_refused_by_whatever_opens_the_store(
    store: Path, counted: list[str]
) -> None:
    (store.parent / "trail.json").write_text('{"Records": []}')
    config = store.parent / "answerable.yaml"
    config.write_text(
        f"store: {store}\nservers: {{files: {{url: http://127.0.0.1:1}}}}\n"
    )
    for words in (
        ("scan", "repo:."),
        ("ingest", "cloudtrail:trail.json"),
        ("agents",),
        ("trace",),
        ("evidence", "verify"),
        ("serve", "--config", str(config)),
    ):
        done = run(store, *words)
        assert done.returncode == 5, done
        error, hint = done.stderr.splitlines()[:2]
        assert error.startswith(f"error: {store} belongs to user ")
        assert hint.startswith("hint: run it as that user: sudo -u ")
        assert foreign(store) == []
        counted.append("command")


def test_root_is_refused_in_a_store_of_another_user(store: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="belongs to user"):
        EvidenceStore.open(store, now=2)
    assert foreign(store) == []


def test_a_kill_by_root_holds_and_its_record_is_the_owners(store: Path) -> None:
    done = run(store, "kill", "agent:declared/x", "--reason", "r")
    assert done.returncode == 0, done.stderr
    assert "not recorded" not in done.stderr
    assert foreign(store) == []
    with act_as_folder_owner(store):
        assert RevocationFile(store).read_subjects() == {"agent:declared/x"}
        with EvidenceStore.open(store, now=2) as opened:
            assert len(opened.list_objects("kill")) == 1
    assert os.geteuid() == 0


def test_servers_and_recorders_of_root_are_refused_in_a_users_folder(
    tmp_path: Path, store: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, OTHER, OTHER)
    with pytest.raises(EnvironmentFailure, match="belongs to user"):
        lock_state_folder(state, store, "gateway")
    with pytest.raises(EnvironmentFailure, match="belongs to user"):
        SegmentWriter(state / "spool", "hook-1")
    assert list(state.iterdir()) == []


def test_a_file_system_that_gives_roots_files_to_another_is_used(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS with root_squash: the folder that root made is `nobody`'s, as its files are."""
    from answerable.store import durable_files

    monkeypatch.setattr(durable_files, "_get_owner_of_new_file", lambda _: OTHER)
    EvidenceStore.open(store, now=3).close()

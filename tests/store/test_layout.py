"""A store is private, says its version, and opens nothing it should not."""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure, UsageError, VerificationError
from answerable.store import durable_files
from answerable.store.store import EvidenceStore
from answerable.store.store_keys import LogKeys
from answerable.store.store_layout import StoreLayout


def test_a_new_store_is_private_and_says_its_version(place: Path) -> None:
    EvidenceStore.open(place, now=0).close()
    assert (place / "format.json").read_text() == '{"store":1}\n'
    assert place.stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o777 for p in place.iterdir() if p.is_dir()} == {0o700}


def test_a_newer_store_is_refused_with_what_to_do(place: Path) -> None:
    EvidenceStore.open(place, now=0).close()
    (place / "format.json").write_text('{"store":2}')
    with pytest.raises(EnvironmentFailure, match="format 2") as refusal:
        EvidenceStore.open(place, now=0)
    assert "upgrade" in refusal.value.hint


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"store":0}', '{"store":"1"}'])
def test_a_damaged_version_is_refused(place: Path, text: str) -> None:
    EvidenceStore.open(place, now=0).close()
    (place / "format.json").write_text(text)
    with pytest.raises(EnvironmentFailure, match="damaged"):
        EvidenceStore.open(place, now=0)


def test_threads_that_come_first_together_find_one_key(place: Path) -> None:
    EvidenceStore.open(place, now=0).close()
    shutil.rmtree(place / "keys")
    (place / "keys").mkdir(mode=0o700)
    together = threading.Barrier(8)

    def public(_: int) -> str:
        keys = LogKeys(StoreLayout(place))
        together.wait(60)
        return str(keys.public_key)

    durable_files.crash_hook = lambda _: time.sleep(0.02)  # each is in the midst of it
    try:
        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(public, range(8)))) == 1
    finally:
        durable_files.crash_hook = None
    kept = {path.name for path in (place / "keys").iterdir()}
    assert kept == {"fingerprint.key", "log.key", "log.pub"}


def test_a_store_is_not_made_when_that_was_not_asked(place: Path) -> None:
    with pytest.raises(UsageError, match="no store"):
        EvidenceStore.open(place, now=0, create=False)
    assert not place.exists()


def test_a_folder_that_holds_something_else_is_not_taken(place: Path) -> None:
    place.mkdir()
    (place / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a store"):
        EvidenceStore.open(place, now=0)
    assert [p.name for p in place.iterdir()] == ["letter.txt"]


def test_a_store_that_was_made_half_is_made_again(place: Path) -> None:
    EvidenceStore.open(place, now=0).close()
    (place / "format.json").rename(place / ".format.json.77.new")
    (place / "keys").rmdir()
    EvidenceStore.open(place, now=0).close()
    assert (place / "format.json").exists()
    (place / "format.json").unlink()
    (place / "objects" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a store"):
        EvidenceStore.open(place, now=0)


def test_an_empty_folder_becomes_a_store(place: Path) -> None:
    place.mkdir(mode=0o755)
    EvidenceStore.open(place, now=0).close()
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_file_in_place_of_the_store_is_refused(place: Path) -> None:
    place.write_text("mine")
    with pytest.raises((UsageError, EnvironmentFailure)):
        EvidenceStore.open(place, now=0)


@pytest.mark.parametrize("name", ["log.key", "fingerprint.key"])
def test_a_key_that_others_may_read_is_refused(place: Path, name: str) -> None:
    with EvidenceStore.open(place, now=0) as store:
        store.fingerprint("x")
        store.put_object("sync", b"{}", 0)
    (place / "keys" / name).chmod(0o644)
    use: dict[str, Callable[[EvidenceStore], object]] = {
        "fingerprint.key": lambda store: store.fingerprint("x"),
        "log.key": lambda store: store.put_object("sync", b"{}", 0),
    }
    with EvidenceStore.open(place, now=0) as store:
        with pytest.raises(EnvironmentFailure, match="can be read by others") as no:
            use[name](store)
        assert no.value.hint.startswith("chmod 600")


def test_a_key_folder_that_others_may_read_is_refused(place: Path) -> None:
    EvidenceStore.open(place, now=0).close()
    (place / "keys").chmod(0o755)
    with pytest.raises(EnvironmentFailure, match="can be read by others"):
        EvidenceStore.open(place, now=0)


@pytest.mark.parametrize("text", ["", "zz", "00"])
def test_a_damaged_key_is_refused(place: Path, text: str) -> None:
    with EvidenceStore.open(place, now=0) as store:
        store.fingerprint("x")
    (place / "keys" / "fingerprint.key").write_text(text)
    with (
        EvidenceStore.open(place, now=0) as store,
        pytest.raises(VerificationError, match="key is damaged"),
    ):
        store.fingerprint("x")


def test_a_cache_may_be_deleted_at_any_time(place: Path) -> None:
    with EvidenceStore.open(place, now=0) as store:
        digest = store.put_object("sync", b"{}", 0)
        store.run_query("SELECT count(*) FROM events")
    shutil.rmtree(place / "derived", ignore_errors=True)
    with EvidenceStore.open(place, now=0) as store:
        assert [o.digest for o in store.list_objects("sync")] == [digest]


def test_importing_the_store_loads_neither_the_engine_nor_cryptography() -> None:
    code = (
        "import sys, answerable.store.store, answerable.usecases.evidence.verify_and_prove; "
        "sys.exit(bool({'duckdb', 'cryptography', 'arro3'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["log.key", "fingerprint.key"])
def test_a_lost_key_is_never_replaced_in_silence(tmp_path: Path, name: str) -> None:
    place = tmp_path / "store"
    with EvidenceStore.open(place, now=0) as store:
        store.fingerprint("x")
        store.put_object("sync", b"{}", 0)
    (place / "keys" / name).unlink()
    with (
        EvidenceStore.open(place, now=0) as store,
        pytest.raises(EnvironmentFailure, match="is missing") as refused,
    ):
        _ = store.fingerprint("x") if name != "log.key" else store.keys.sign(b"x")
    assert refused.value.hint
    assert not (place / "keys" / name).exists()


def test_keys_lost_whole_are_never_replaced_in_silence(tmp_path: Path) -> None:
    place = tmp_path / "store"
    with EvidenceStore.open(place, now=0) as store:
        store.put_object("sync", b"{}", 0)
    for path in (place / "keys").iterdir():
        path.unlink()
    with (
        EvidenceStore.open(place, now=0) as store,
        pytest.raises(EnvironmentFailure, match="is missing"),
    ):
        store.put_object("sync", b"[]", 0)

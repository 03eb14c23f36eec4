"""The collector publishes the log as tiles, also to a client with an older checkpoint."""

import http.client
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.evidence.log_entries import ObjectEntry
from answerable.store.store import EvidenceStore
from tests.collector.running_collector import collecting
from tests.evidence import independent_verifier as verifier
from tests.store.conftest import NOW, _make

SETTINGS = {
    "collector": {
        "listen": [{"address": "127.0.0.1:0"}],
        "tiles": [{"address": "127.0.0.1:0"}],
    }
}
SIZES = (100, 250, 256, 300, 513)


def grow(store: EvidenceStore, size: int) -> bytes:
    """Append objects until the log has a size; return its checkpoint."""
    known = len(store.log.entries())
    names = [sha256(b"%d" % number).hexdigest() for number in range(known, size)]
    store.log.append([ObjectEntry(of="x", sha256=d, at=str(NOW)) for d in names])
    return store.log.checkpoint()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("published")
    with EvidenceStore.open(folder / "store", now=NOW) as store:
        store.append([_make(0)], NOW)
        store.seal(NOW)
    with collecting(folder, SETTINGS) as running:
        assert running.process.stdout is not None
        name, _, url = running.process.stdout.readline().strip().partition(" ")
        assert name == "tiles"
        yield folder, url


def fetch(url: str, path: str, **fields: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", path, headers=fields)
        answer = connection.getresponse()
        head = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, head, answer.read()
    finally:
        connection.close()


def read(url: str, old: bytes, path: str) -> bytes:
    """Read a file of the log as a client that got the checkpoint earlier."""
    if path == "checkpoint":
        return old
    status, _, data = fetch(url, f"/{path}")
    if status != 200:
        raise OSError(status, path)
    return data


def test_tiles_are_verified_at_each_size_that_the_log_had(
    published: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, url = published
    key = (folder / "store" / "keys" / "log.pub").read_text()
    notes = []
    with EvidenceStore.open(folder / "store", now=NOW) as store:
        for size in SIZES:
            notes.append(grow(store, size))
            assert fetch(url, "/checkpoint")[2] == notes[-1]
    for size, note in zip(SIZES, notes, strict=True):
        found = verifier.tiles(partial(read, url, note), key)
        assert len(found) == size
    old = folder / "old"
    old.write_bytes(notes[0])
    words = ["--key", str(folder / "store" / "keys" / "log.pub"), "--tiles", url]
    assert main(["evidence", "verify", *words, "--checkpoint", str(old), "-q"]) == 0
    said = capsys.readouterr().out
    assert f"{SIZES[-1]:,} entries match all tiles" in said
    assert "begins with the one of size 100" in said


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/tile/",
        "/tile/0/002.p/2",  # wider than the log
        "/tile/0/000.p/256",
        "/tile/0/000.p/0",
        "/tile/0/x000/000",
        "/tile/8/000",
        "/tile/0/%2e%2e/%2e%2e/%2e%2e/keys/log.key",
        "/tile/entries/../../../keys/log.key",
        "/tile//0/000",
        "/keys/log.key",
        "/tile/0/000%0a",
        "/metrics",
    ],
)
def test_no_other_file_is_served(published: tuple[Path, str], path: str) -> None:
    folder, url = published
    with EvidenceStore.open(folder / "store", now=NOW) as store:
        if len(store.log.entries()) < SIZES[-1]:
            grow(store, SIZES[-1])
    assert fetch(url, path)[0] == 404


def test_types_and_caching_are_those_of_the_specification(
    published: tuple[Path, str],
) -> None:
    folder, url = published
    status, head, _ = fetch(url, "/checkpoint")
    assert (status, head["cache-control"]) == (200, "no-cache")
    assert head["content-type"] == "text/plain; charset=utf-8"
    status, head, data = fetch(url, "/tile/0/000.p/1")
    assert (status, len(data)) == (200, 32)
    assert head["content-type"] == "application/octet-stream"
    assert "immutable" in head["cache-control"]
    assert fetch(url, "/checkpoint", host="elsewhere.example")[0] == 421
    assert (folder / "store" / "log" / "checkpoint").read_bytes()

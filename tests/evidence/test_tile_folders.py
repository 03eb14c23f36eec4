"""Files, missing folders and URLs, given to the commands of tiles."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.store.store import EvidenceStore

NOW = 1_800_000_000_000_000_000


class Static(SimpleHTTPRequestHandler):
    """A static web server, with one path that redirects and one that never ends."""

    def do_GET(self) -> None:
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
        elif self.path.startswith("/endless/"):
            self.send_response(200)
            self.end_headers()
            with suppress(ConnectionError):  # the client stops reading
                for _ in range(40):
                    self.wfile.write(bytes(1 << 20))
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def published(tmp_path: Path) -> Iterator[str]:
    """Publish the tiles of a store; give the URL of their prefix."""
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.put_object("note", b"one", NOW)
        (tmp_path / "old").write_bytes(store.log.checkpoint())
        store.put_object("note", b"two", NOW)
    words = ["--store", str(tmp_path / "store"), "-q", "evidence", "tiles", "--to"]
    assert main([*words, str(tmp_path / "tiles")]) == 0
    handler = partial(Static, directory=str(tmp_path / "tiles"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_tiles_of_a_server_are_verified(
    published: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = ["--key", str(tmp_path / "store" / "keys" / "log.pub")]
    words = ["evidence", "verify", *key, "--checkpoint", str(tmp_path / "old")]
    for prefix in (published, f"{published}/"):
        assert main([*words, "--tiles", prefix]) == 0
        assert "begins with the one of size 1" in capsys.readouterr().out
    entries = tmp_path / "tiles" / "tile" / "entries" / "000.p" / "2"
    whole = entries.read_bytes()
    entries.write_bytes(whole.replace(b"note", b"nope"))
    assert main([*words, "--tiles", published]) == 1
    entries.unlink()
    assert main([*words, "--tiles", published]) == 1


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("/elsewhere", 2, "no log at this URL"),
        ("/moved", 5, "HTTP status 302"),
        ("/endless", 5, "larger than any tile"),
        ("?a=b", 2, "not the URL of a log"),
    ],
)
def test_a_url_without_a_log_is_refused_in_one_line(
    published: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    path: str,
    code: int,
    said: str,
) -> None:
    key = ["--key", str(tmp_path / "store" / "keys" / "log.pub")]
    assert main(["evidence", "verify", *key, "--tiles", published + path]) == code
    error = capsys.readouterr().err
    assert said in error.splitlines()[0]
    assert "Traceback" not in error


def test_a_server_that_does_not_answer_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.put_object("note", b"one", NOW)
    key = ["--key", str(tmp_path / "store" / "keys" / "log.pub")]
    words = ["evidence", "verify", *key, "--tiles"]
    assert main([*words, "http://user:pw@127.0.0.1/log"]) == 2
    assert "pw" not in capsys.readouterr().err
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        port = closed.getsockname()[1]
        assert main([*words, f"https://127.0.0.1:{port}/log"]) == 5
    assert capsys.readouterr().err.startswith("error: checkpoint of the log cannot be")


def test_a_file_and_a_missing_folder_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = NOW
    with EvidenceStore.open(tmp_path / "store", now=now) as opened:
        opened.put_object("note", b"kept", now)
    store = ["--store", str(tmp_path / "store"), "evidence"]
    (tmp_path / "notes").write_text("mine")
    assert main([*store, "tiles", "--to", str(tmp_path / "notes")]) == 2
    assert "error: --to requires a folder" in capsys.readouterr().err
    assert (tmp_path / "notes").read_text() == "mine"
    key = str(tmp_path / "store" / "keys" / "log.pub")
    for name in ("notes", "missing"):
        tiles = ["--tiles", str(tmp_path / name), "--key", key]
        assert main([*store, "verify", *tiles]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: no tiles in this folder")
        assert "Traceback" not in error


@pytest.mark.parametrize("damage", ["delete", "cut"])
def test_a_later_run_writes_damaged_tiles_again(
    tmp_path: Path, published: str, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    tiles = [each for each in (tmp_path / "tiles/tile").rglob("*") if each.is_file()]
    assert len(tiles) == 2
    kept = {each: each.read_bytes() for each in tiles}
    for each in tiles:
        each.unlink() if damage == "delete" else each.write_bytes(kept[each][:9])
    words = ["--store", str(tmp_path / "store"), "evidence", "tiles", "--to"]
    assert main([*words, str(tmp_path / "tiles")]) == 0
    assert {each: each.read_bytes() for each in tiles} == kept
    (tmp_path / "tiles" / "checkpoint").write_bytes(b"x")
    assert main([*words, str(tmp_path / "tiles")]) == 1
    assert f"{tmp_path / 'tiles' / 'checkpoint'}: " in capsys.readouterr().err

"""Pins of a gateway that serves: in every worker, and approved while it runs."""

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from answerable.authorization.pins.canonical_definitions import (
    build_canonical_definition,
)
from answerable.authorization.pins.pin_comparison import (
    ObservedList,
    compare_list_with_pins,
)
from answerable.cli.main import main
from answerable.model.definition_pin import DefinitionKind, PinningMode
from answerable.server.pins.pin_files import PinFiles
from tests.gateway.serve.running_gateway import configuration, serving

READ = {"name": "read", "description": "reads"}


class _Lists(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        found: dict[str, Any] = {"content": [], "resultType": "complete"}
        if said["method"] == "tools/list":
            found = {"tools": self.server.tools}  # type: ignore[attr-defined]
        answer = {"jsonrpc": "2.0", "id": said["id"], "result": found}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listing() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lists)
    server.daemon_threads = True
    server.tools = [READ]  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def operate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What a person types beside the gateway."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors",
        lambda runs: None,
    )

    def said(*words: str) -> str:
        code = main(["--store", "store", *words])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out

    return said


def test_a_change_is_held_by_every_worker_until_a_person_approves_it(
    tmp_path: Path, listing: ThreadingHTTPServer, operate: Callable[..., str]
) -> None:
    settings = configuration(listing.server_port)
    settings["listen"]["workers"] = 2
    settings["agents"]["ana"]["owner"] = "ana@corp.example"
    (tmp_path / "phrase").write_text("correct horse battery\n")
    (tmp_path / "phrase").chmod(0o600)
    files = PinFiles(tmp_path / "store" / "gateway")
    with serving(tmp_path, settings) as served:
        assert "result" in served.call("read")
        while not files.read_pins("files").items:
            time.sleep(0.02)
        whose = ("--person", "ana@corp.example")
        phrase = ("--passphrase-file", "phrase")
        made = operate("owner-keys", "new", *whose, *phrase, "-o", "json")
        (key,) = json.loads(made)["items"]
        operate("owner-keys", "enroll", key["public_file"], *whose)
        hostile = READ | {"description": "reads \u202e\x1b[2J"}
        listing.tools = [hostile]  # type: ignore[attr-defined]
        _seen(files, hostile)
        held = served.hear("pin.quarantined", 2)  # of both workers
        assert (held["subject"], held["why"]) == ("tool:mcp/files/read", "changed")
        for who in ("ana", "ben") * 2:  # whichever worker it meets
            assert "error" in served.call("read", who)
        signed = ("--config", "answerable.yaml", "--key", key["key_file"], *phrase)
        out = operate("tools", "approve", "files", "read", *signed)
        assert "tool:mcp/files/read" in out
        served.hear("pin.released", 2)
        for who in ("ana", "ben") * 2:
            assert "result" in served.call("read", who)
        assert served.end() == 0


def _seen(files: PinFiles, definition: dict[str, Any]) -> None:
    """Have another process of the same gateway see a definition."""
    raw = json.dumps(definition).encode()
    listed = ObservedList(
        DefinitionKind.TOOL,
        (build_canonical_definition(DefinitionKind.TOOL, definition["name"], raw),),
    )
    files.change_pins(
        "files",
        lambda pins: compare_list_with_pins(
            pins, listed, server="files", pinning=PinningMode.FIRST_USE, now=1
        ),
    )

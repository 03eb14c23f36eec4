"""A server gives its credential back as each JSON library, URL or HTML encoder writes it.

`encoders.yaml` is the table: it names the encoder and what it makes of one secret.
"""

import http.client
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from answerable.gateway.upstream_credentials.leak_filter import NO_SECRETS, LeakFilter
from answerable.server.wire.refusals import RequestRefused
from tests.gateway.serve.running_gateway import (
    SECONDS,
    Serving,
    call,
    configuration,
    serving,
)
from tests.gateway.stdio.test_environment_credentials import keep, kept
from tests.gateway.stdio.wrapper_fixture import call as call_line
from tests.gateway.stdio.wrapper_fixture import wrapper

TABLE = yaml.load(
    Path(__file__).with_name("encoders.yaml").read_text("utf-8"), yaml.CSafeLoader
)
SECRET: str = TABLE["secret"]
ROWS: dict[str, str] = {row["encoder"]: row["text"] for row in TABLE["rows"]}
HONEST = (
    "100% of 20% is %2 and \\u0026 and \\u00e9 &amp; %2F&#x3D;",
    json.dumps({"url": "https://h.example/a%20b?c=d&e=%3D", "path": "C:\\dir\\u003d"}),
    "pg:\\/\\/u:p%2540s+w\\u003d@h/db?a=c",
    "%" * 300 + "\\" * 300 + "&" * 300,
)
PROGRAMS = {
    "Node.js JSON.stringify 20": [
        "node",
        "-e",
        "process.stdout.write(JSON.stringify(S))",
    ],
    "encodeURIComponent (Node.js)": [
        *("node", "-e", "process.stdout.write(encodeURIComponent(S))"),
    ],
    "jq 1.7": ["jq", "-c", "."],
    "jq @uri": ["jq", "-rj", "@uri"],
    "Perl JSON::PP": [
        *("perl", "-MJSON::PP", "-e"),
        "my $j = JSON::PP->new->allow_nonref; print $j->encode($j->decode(<STDIN>));",
    ],
}
NODE = "const S = JSON.parse(require('fs').readFileSync(0)); "


class _Echo(BaseHTTPRequestHandler):
    """A server that answers with the bytes of `server.body`, as JSON, events or text."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        kind, body = self.server.answer  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def echo() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def served(
    echo: ThreadingHTTPServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("served")
    kept = folder / "kept"
    kept.touch(0o600)
    kept.write_text(SECRET)
    settings = configuration(echo.server_port)
    settings["servers"]["files"]["credential"] = {"file": str(kept)}
    with serving(folder, settings) as served:
        yield served


def message(text: str) -> str:
    """An answer whose one text is given as it is spelled in JSON, quotes included."""
    spelled = text if text.startswith('"') else json.dumps(text)
    content = f'[{{"type":"text","text":{spelled}}}]'
    result = f'{{"content":{content},"resultType":"complete"}}'
    return f'{{"jsonrpc":"2.0","id":1,"result":{result}}}'


def events(text: str) -> str:
    return f"event: message\ndata: {message(text)}\n\n"


def test_a_running_gateway_keeps_back_what_every_encoder_writes(
    echo: ThreadingHTTPServer, served: Serving, counted: list[str]
) -> None:
    connection = http.client.HTTPConnection(served.gateway, timeout=SECONDS)
    passed: list[tuple[str, str]] = []
    for kind, form in (("application/json", message), ("text/event-stream", events)):
        for name, text in ROWS.items():
            echo.answer = kind, form(text).encode()  # type: ignore[attr-defined]
            answer = _answer(connection)
            counted.append(kind)
            if answer.get("error", {}).get("code") != -32603:
                passed.append((kind, name))
    assert passed == []
    for text in HONEST:
        said = message(json.dumps(text)).encode()
        echo.answer = "application/json", said  # type: ignore[attr-defined]
        assert _answer(connection)["result"]["content"][0]["text"] == text
        counted.append("honest")
    connection.close()


def test_a_wrapped_server_by_command_is_kept_from_it_too(
    tmp_path: Path, counted: list[str]
) -> None:
    keep(tmp_path, SECRET)
    with wrapper(tmp_path, config=kept()) as wrapped:
        for name, text in ROWS.items():
            answer = wrapped.ask(call_line("raw", line=message(text).encode().hex()))
            assert answer["error"]["code"] == -32603, name
            counted.append("line")
        for text in HONEST:
            said = message(json.dumps(text)).encode().hex()
            answer = wrapped.ask(call_line("raw", line=said))
            assert answer["result"]["content"][0]["text"] == text
            counted.append("honest")


def _answer(connection: http.client.HTTPConnection) -> Any:
    try:
        return call(connection)
    except json.JSONDecodeError as error:
        return json.loads(error.doc.partition("data: ")[2])


def passed_on(pieces: list[bytes]) -> int:
    """Count the bytes that go on before the secret is found; it has to be."""
    watch = LeakFilter(NO_SECRETS.with_secret(SECRET))
    passed = 0
    try:
        for each in pieces:
            passed += len(watch.check_body_piece(each))
    except RequestRefused:
        return passed
    raise AssertionError("it was not found")


@pytest.mark.parametrize("name", ROWS)
def test_it_is_found_wherever_the_network_cuts_it(
    name: str, counted: list[str]
) -> None:
    data = f'{{"text": "{ROWS[name]}", "more": 1}}'.encode()
    begins = min(at for it in (b"pg", b"%70", b"\\u") if (at := data.find(it)) >= 0)
    for cut in range(1, len(data), 1 if len(data) < 400 else 3):
        assert passed_on([data[:cut], data[cut:]]) <= begins
        counted.append("cut in two")
    assert passed_on([bytes([each]) for each in data]) <= begins
    counted.append("cut into bytes")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_row_is_what_the_encoder_on_this_machine_writes(name: str) -> None:
    program, *words = PROGRAMS[name]
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")
    if program == "node":
        words[-1] = NODE + words[-1]
    ran = subprocess.run(
        [program, *words], input=json.dumps(SECRET), capture_output=True, text=True
    )
    assert ran.stdout.removesuffix("\n") == ROWS[name]

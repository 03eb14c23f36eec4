"""CAEP session-revoked: signed, pushed, tried again, and dropped in the end."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from answerable.federation.jwk_set import parse_key_set
from answerable.federation.jws_parsing import parse_jws
from answerable.model.token_request import TICKET_TYPE_URI
from tests.authority import Authority, Issued
from tests.sts.running_service import (
    ANA,
    ROOT,
    SUB,
    DpopClient,
    RunningService,
    ci_token,
    own_store,
    taken,
)

REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"


class EventReceiver:
    """Takes events over https; the first try of each connection may be turned away."""

    def __init__(self, issued: Issued, refuses: int) -> None:
        self.taken: list[tuple[str, str]] = []
        self.refuses = refuses
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["content-length"])
                body = self.rfile.read(size).decode()
                if outer.refuses > 0:
                    outer.refuses -= 1
                    self.send_response(503)
                else:
                    outer.taken.append((self.headers["content-type"], body))
                    self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server.server_address[1]}/events"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[EventReceiver]:
    running = EventReceiver(Authority(tmp_path).issue("receiver"), refuses=1)
    yield running
    running.close()


def test_receivers_are_told_of_every_delegation_that_ended(
    tmp_path: Path, receiver: EventReceiver
) -> None:
    more = f"  events: [{receiver.url}]\n  events_ca: {tmp_path / 'ca.pem'}\n"
    folder = tmp_path / "sts"
    folder.mkdir()
    world = RunningService(folder, more=more)
    own_store(world.store, {ROOT: ANA, SUB: ANA})
    world.write()
    world.start()
    parent, child = DpopClient(world), DpopClient(world)
    with world.wire() as wire:
        token = parent.get(wire, ci_token(world))
        given = parent.delegate(wire, token, agent=SUB, jkt=child.jkt)
        below = child.get(wire, str(given.json["ticket"]), TICKET_TYPE_URI)
        sessions = {
            str(taken(world, wire, each).find_claim_at_path("answerable", "dlg"))
            for each in (token, below)
        }
        fields = {"DPoP": parent.proof("/revoke")}
        assert wire.form("/revoke", {"token": token}, fields).status == 200
        deadline = time.monotonic() + 60
        while len(receiver.taken) < 2:
            assert time.monotonic() < deadline, world.errors.read_text()
            time.sleep(0.02)
        keys = parse_key_set(wire.ask("GET", "/jwks").body, ("ES256",))
    world.stop()
    told = set()
    for kind, text in receiver.taken:
        assert kind == "application/secevent+jwt"
        event = parse_jws(text)
        assert event.head.typ == "secevent+jwt"
        assert keys.keys[event.head.kid].verify(event.signing_input, event.signature)
        said = json.loads(json.dumps(event.payload))
        assert (said["iss"], said["aud"]) == (world.url, receiver.url)
        assert said["events"][REVOKED]["initiating_entity"] == "user"
        assert said["sub_id"]["user"]["sub"] == ROOT
        told.add(said["sub_id"]["session"]["id"])
    assert told == sessions

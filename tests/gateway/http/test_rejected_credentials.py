"""A credential that its server refuses is got anew for the next call, and not for each."""

import json
import sys
import threading
from pathlib import Path

import pytest

from answerable.evidence.spool_format import encode_record
from answerable.gateway.wire.http_heads import check_upstream_head
from tests.gateway.http.backend_scripts import always
from tests.gateway.http.gateway_fixture import Gateway, Peer, stage
from tests.gateway.http.message_builders import call, reply, result
from tests.gateway.http.test_static_credentials import fields
from tests.gateway.http.test_upstream_credentials import authorizations, service, shown

OK = reply(result(content=[{"type": "text", "text": "hello"}]))
REFUSED = reply(b"", "401 Unauthorized", 'WWW-Authenticate: Bearer realm="files"')
OLD, NEW = "of-the-operator-before", "of-the-operator-by-now"
BROKEN = -32603
KEPT = "credential: {file: secret}"


class Lock:
    """A server that takes one secret, and answers others as it is told."""

    def __init__(self, takes: str, refused: bytes = REFUSED) -> None:
        self.takes, self.refused = takes, refused

    def __call__(self, peer: Peer) -> None:
        while True:
            head, _ = peer.request()
            peer.send(OK if f"Bearer {self.takes}".encode() in head else self.refused)


def keep(folder: Path, secret: str) -> None:
    place = folder / "next"
    place.write_text(secret)
    place.chmod(0o600)
    place.rename(folder / "secret")


def codes(gateway: Gateway, times: int = 1) -> list[object]:
    """What a client hears of each of some calls: nothing wrong, or the code."""
    heard: list[object] = []
    with gateway.client() as client:
        for _ in range(times):
            client.send(call())
            heard.append(json.loads(client.answer().body).get("error", {}).get("code"))
    return heard


def test_the_next_call_shows_what_the_file_says_now_and_none_is_sent_twice(
    tmp_path: Path,
) -> None:
    keep(tmp_path, OLD)
    lock = Lock(OLD)
    with stage(tmp_path, lock, shown=KEPT) as (gateway, backend):
        assert codes(gateway) == [None]
        keep(tmp_path, NEW)
        lock.takes = NEW
        assert codes(gateway, 3) == [BROKEN, None, None]
        records = b"".join(encode_record(each) for each in gateway.records())
    shown = [f"Bearer {each}".encode() for each in (OLD, OLD, NEW, NEW)]
    assert authorizations(backend) == shown
    assert OLD.encode() not in records
    assert NEW.encode() not in records


# (status, fields of the answer, the credential is got anew)
ANSWERS = [
    ("401 Unauthorized", (), True),
    ("401 Unauthorized", ('WWW-Authenticate: Bearer error="invalid_token"',), True),
    ("403 Forbidden", ('WWW-Authenticate: Bearer error="invalid_token"',), True),
    (
        "403 Forbidden",
        ('WWW-Authenticate: Bearer realm="a", Error=invalid_token, scope="b"',),
        True,
    ),
    ("403 Forbidden", (), False),
    (
        "403 Forbidden",
        ('WWW-Authenticate: Bearer error="insufficient_scope"',),
        False,
    ),
    ("403 Forbidden", ('WWW-Authenticate: Bearer realm="invalid_token"',), False),
    ("400 Bad Request", ('WWW-Authenticate: Bearer error="invalid_token"',), False),
    ("407 Proxy Authentication Required", (), False),
    ("500 Internal Server Error", (), False),
    ("302 Found", ("Location: /login",), False),
]


@pytest.mark.parametrize(("status", "said", "is_refused"), ANSWERS)
def test_only_an_answer_about_the_credential_has_it_got_anew(
    status: str, said: tuple[str, ...], is_refused: bool
) -> None:
    pairs = (each.partition(": ") for each in said)
    named = {name.lower(): value for name, _, value in pairs}
    assert check_upstream_head(int(status[:3]), named).refuses is is_refused


@pytest.mark.parametrize("answer", ANSWERS[2:5:2])
def test_a_client_hears_a_403_as_before(
    tmp_path: Path, answer: tuple[str, tuple[str, ...], bool]
) -> None:
    status, challenge, is_refused = answer
    keep(tmp_path, OLD)
    error = {"jsonrpc": "2.0", "id": 1, "error": {"code": -1, "message": "no"}}
    lock = Lock(NEW, reply(json.dumps(error).encode(), status, *challenge))
    with stage(tmp_path, lock, shown=KEPT) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            first = client.answer()
        assert (first.status, json.loads(first.body)) == (403, error)
        keep(tmp_path, NEW)
        with gateway.client() as client:
            client.send(call())
            assert client.answer().status == (200 if is_refused else 403)
    assert len(backend.requests) == 2


def test_a_server_that_always_refuses_has_a_command_run_once_more(
    tmp_path: Path,
) -> None:
    ran = tmp_path / "ran"
    code = f"open({str(ran)!r}, 'a').write('x'); print({OLD!r})"
    kept = json.dumps({"command": [sys.executable, "-c", code], "ttl": 60})
    with stage(tmp_path, always(REFUSED), shown=f"credential: {kept}") as (gateway, _):
        assert codes(gateway, 30) == [BROKEN] * 30
    assert ran.read_text() == "xx"


def test_calls_that_are_refused_together_have_one_token_asked_for(
    tmp_path: Path,
) -> None:
    together = 8
    met = threading.Barrier(together)

    def script(peer: Peer) -> None:
        while True:
            head, _ = peer.request()
            (shown,) = fields(head, b"authorization")
            first.append(shown)
            if shown == first[0]:
                met.wait(60)  # all have been sent before one is answered
                peer.send(REFUSED)
            else:
                peer.send(OK)

    def one(gateway: Gateway) -> None:
        heard.append(codes(gateway, 2))

    first: list[bytes] = []
    heard: list[list[object]] = []
    with service(tmp_path) as told, shown(tmp_path, script) as (gateway, backend):
        calls = [threading.Thread(target=one, args=(gateway,)) for _ in range(together)]
        for each in calls:
            each.start()
        for each in calls:
            each.join(60)
        sent = authorizations(backend)
    assert heard == [[BROKEN, None]] * together
    assert len(told.asked) == 2
    assert len(set(sent[:together])) == len(set(sent[together:])) == 1
    assert sent[0] != sent[-1]


def test_a_server_that_always_refuses_has_one_token_more_asked_for(
    tmp_path: Path,
) -> None:
    with (
        service(tmp_path) as told,
        shown(tmp_path, always(REFUSED)) as (gateway, backend),
    ):
        assert codes(gateway, 20) == [BROKEN] * 20
    assert len(told.asked) == 2
    assert len(backend.requests) == 20

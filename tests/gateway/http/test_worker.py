"""What happens to all connections: kills, the end of a worker, and its limits."""

import time
from pathlib import Path

from tests.gateway.http.backend_scripts import hold_open, unanswered
from tests.gateway.http.gateway_fixture import Backend, Peer, gateway, stage
from tests.gateway.http.message_builders import ask, call, events, reply, result

OK = result(content=[])
NOTE = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}'


# Kills, and the end of a worker.


listening = hold_open(events(NOTE, end=False))

LISTEN = {"notifications": {"resourceSubscriptions": ["file:///srv/a"]}}


def test_a_kill_cuts_what_is_open_at_once(tmp_path: Path) -> None:
    with stage(tmp_path, listening) as (gateway, backend):
        with gateway.client() as ana, gateway.client() as ben, gateway.client() as late:
            ana.send(ask("subscriptions/listen", **LISTEN))
            assert ana.head().status == 200
            ana.chunk()
            ben.send(call(agent="ben"))
            assert ben.head().status == 200
            ben.chunk()
            kills = frozenset({"agent:declared/ana"})
            gateway.run(
                lambda: gateway.http_server.exchange.authority.update_revocations(kills)
            )
            assert ana.chunk() == b""
            assert ana.is_closed()
            late.send(call())
            assert late.answer().status == 200
            assert len(gateway.http_server.in_flight) == 1  # ben's
        assert ("subscriptions/listen", "", "killed") in gateway.decisions()
        assert len(backend.requests) == 2


def test_a_kill_answers_what_waits_for_an_answer(tmp_path: Path) -> None:
    with stage(tmp_path, unanswered) as (gateway, backend):
        with gateway.client() as client:
            client.send(call())
            while not backend.requests:
                time.sleep(0.01)
            kills = frozenset({"tool:mcp/files/read_file"})
            gateway.run(
                lambda: gateway.http_server.exchange.authority.update_revocations(kills)
            )
            assert client.answer().status == 200
        assert gateway.outcomes() == ["unknown"]


def test_a_listen_for_what_may_not_be_read_is_denied(tmp_path: Path) -> None:
    watched = {"notifications": {"resourceSubscriptions": ["file:///etc/shadow"]}}
    with stage(tmp_path, listening) as (gateway, backend):
        with gateway.client() as client:
            client.send(ask("subscriptions/listen", **watched))
            assert client.answer().status == 200
        assert backend.requests == []


def test_at_the_end_calls_are_finished_and_streams_are_closed(tmp_path: Path) -> None:
    release: list[bool] = []

    def script(peer: Peer) -> None:
        _, body = peer.request()
        if b"listen" in body:
            peer.send(events(NOTE, end=False))
            peer.gone(10)
            return
        while not release:
            time.sleep(0.01)
        peer.send(reply(OK))

    with (
        stage(tmp_path, script) as (gateway, backend),
        gateway.client() as idle,
        gateway.client() as busy,
        gateway.client() as stream,
    ):
        stream.send(ask("subscriptions/listen", **LISTEN))
        stream.head()
        stream.chunk()
        busy.send(call())
        while len(backend.requests) < 2:
            time.sleep(0.01)
        gateway.run(gateway.http_server.drain)
        assert idle.is_closed()
        assert stream.chunk() == b""
        assert stream.is_closed()
        release.append(True)
        answered = busy.answer()
        assert answered.body == OK
        assert answered.fields["connection"] == "close"
        assert busy.is_closed()
        with gateway.client() as late:
            assert late.is_closed()


# What a door bears.


def test_a_head_that_trickles_in_is_cut_off(tmp_path: Path) -> None:
    with gateway(tmp_path, 1, "limits: {head: 1, body: 1, idle: 2}") as running:
        with running.client() as client:
            client.send(call()[:9])
            time.sleep(0.7)
            client.send(call()[9:19])  # which wins it no more time
            assert client.answer().status == 408
            assert client.is_closed()
        with running.client() as client:
            client.send(call()[:-5])
            assert client.answer().status == 408
        with running.client() as client:
            assert client.is_closed()  # it said nothing at all
        assert running.refusals() == ["slow", "slow"]


def test_one_caller_has_so_many_calls_in_flight_and_no_more(tmp_path: Path) -> None:
    with stage(tmp_path, unanswered, "limits: {calls_per_caller: 2}") as (
        gateway,
        backend,
    ):
        clients = [gateway.client() for _ in range(3)]
        for client in clients[:2]:
            client.send(call())
        while len(backend.requests) < 2:
            time.sleep(0.01)
        clients[2].send(call())
        assert clients[2].answer().status == 429
        with gateway.client() as other:
            other.send(call(agent="ben"))
            while len(backend.requests) < 3:
                time.sleep(0.01)
        for client in clients:
            client.sock.close()
        assert gateway.refusals() == ["too-many-calls"]


def test_beyond_the_limit_of_connections_an_idle_one_of_its_caller_is_closed(
    tmp_path: Path,
) -> None:
    with (
        gateway(tmp_path, 1, "limits: {connections: 2}") as running,
        running.client() as first,
        running.client() as second,
    ):
        first.send(call("rm"))
        second.send(call("rm"))
        assert first.answer().status == second.answer().status == 200
        with running.client() as third:
            third.send(call("rm"))
            assert third.answer().status == 200
            assert first.is_closed()


def test_a_backend_that_is_never_asked_stays_untouched(tmp_path: Path) -> None:
    backend = Backend(listening)
    with gateway(tmp_path, backend.port) as running, running.client() as client:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.answer().status == 421
    backend.close()
    assert backend.connections == 0

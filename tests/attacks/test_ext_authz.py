"""Envoy's ext_authz decides what the gateway would, or is stricter."""

import asyncio
import http.client
import os
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.exceptions import StreamTerminatedError

from answerable.pdp.envoy import ext_authz_proto as auth
from answerable.pdp.envoy.grpc_service import CHECK_METHOD
from tests.attacks.generated_requests import Sent, generated
from tests.attacks.test_policy_names import write_policy
from tests.gateway.serve.running_gateway import (
    SECONDS,
    Serving,
    backend,
    configuration,
    serving,
)
from tests.pdp.decision_point_harness import deciding, settings
from tests.pdp.envoy.test_check_request import EnvoyClient, message, request

HeaderMap, HeaderValue = map(auth.get_message_class, ("HeaderMap", "HeaderValue"))


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvoyClient]:
    with deciding(tmp_path_factory.mktemp("point"), settings()) as point:
        yield EnvoyClient(point)


def shaped(said: Any, **changed: Any) -> Any:
    """Change attributes of the request that Envoy holds."""
    http = said.attributes.request.http
    for name, value in changed.items():
        if name == "drop":
            del http.headers[value]
        else:
            setattr(http, name, value)
    return said


def raw(said: Any, *more: tuple[str, bytes]) -> Any:
    """Put the fields where an Envoy with `encode_raw_headers` puts them."""
    http = said.attributes.request.http
    pairs = [(name, value.encode()) for name, value in http.headers.items()]
    headers = [HeaderValue(key=k, raw_value=v) for k, v in (*pairs, *more)]
    http.header_map.CopyFrom(HeaderMap(headers=headers))
    http.headers.clear()
    return said


def old(*, empty: bool = False, **fields: Any) -> Any:
    """A call of 2025-11-25; an empty one names nothing in its head either."""
    said = message()
    del said["params"]["_meta"]
    names = {"mcp_protocol_version": "2025-11-25"} | fields
    return request(b"" if empty else said, **names)


def body_of(said: Any) -> bytes:
    return bytes(said.attributes.request.http.raw_body)


def test_what_the_gateway_refuses_by_length_session_or_part_is_refused_here(
    ask: EnvoyClient, counted: list[str]
) -> None:
    whole = len(body_of(request()))
    honest = [
        *(request(), raw(request()), old(), old(method="GET", empty=True)),
        request(content_length=str(whole)),
        *(shaped(request(), size=size) for size in (0, -1, whole)),
        raw(request(), ("x-envoy-auth-partial-body", b"false")),
        shaped(request(), body=body_of(request()).decode(), raw_body=b""),
    ]
    for each in honest:
        assert ask.passes(each), each
    text = body_of(request(message(arguments={"path": "a!b"}))).decode()
    attacks = [
        # A body where there is none.
        *(old(method=method) for method in ("GET", "DELETE")),
        *(old(method=m, content_length="5", empty=True) for m in ("GET", "DELETE")),
        *(
            old(method=m, transfer_encoding="chunked", empty=True)
            for m in ("GET", "DELETE")
        ),
        # Bytes that did not come, or more than were announced.
        *(request(content_length=str(whole + more)) for more in (1, -1, 4000)),
        *(
            request(content_length=each)
            for each in ("", "+1", "0x10", f"{whole},{whole}")
        ),
        request(content_length=str(whole), transfer_encoding="chunked"),
        *(shaped(request(), size=whole + more) for more in (1, -1, 10**6)),
        # A part of the body, wherever Envoy says so.
        request(x_envoy_auth_partial_body="true"),
        request(x_envoy_auth_partial_body="false,true"),
        raw(request(), ("x-envoy-auth-partial-body", b"true")),
        raw(request(), ("X-Envoy-Auth-Partial-Body", b"true")),
        # Of two bodies, or of one in which Envoy replaced bytes, which goes on?
        shaped(request(), body="{}"),
        shaped(request(), body=text, raw_body=b""),
        # A session of whom nobody knows.
        *(old(mcp_session_id=each) for each in ("s-1", "a.b")),
        old(method="GET", empty=True, mcp_session_id="s-1"),
        old(method="DELETE", empty=True, mcp_session_id="s-1"),
        # Two fields that Envoy made one, or that two readers take for one.
        *(
            raw(request(), (name, b"read"))
            for name in ("mcp-name", "Mcp-Name", "mcp_name")
        ),
        request(message(name="read,read"), mcp_name="read,read"),
        raw(request(), ("authorization", b"Bearer x")),
        request(origin="https://evil.example"),
        *(request(connection=each) for each in ("mcp-name", "authorization")),
        shaped(request(), host="a b"),
        shaped(request(), host=""),
        request(x="a\nb"),
        request(expect="200-ok"),
    ]
    for each in attacks:
        assert not ask.passes(each), each
        counted.append("refused")


def test_a_field_in_both_places_is_refused(ask: EnvoyClient) -> None:
    said = raw(request())
    said.attributes.request.http.headers["mcp-name"] = "read"
    assert not ask.passes(said)


def test_the_listener_takes_in_no_more_than_one_call_may_be(tmp_path: Path) -> None:
    point = {
        "listen": [{"unix": "pdp.sock"}],
        "ext_authz": [{"unix": "envoy.sock"}],
        "callers": [{"unix": {"uid": os.getuid()}}],
    }
    said = configuration(9, decisions=point)
    with serving(tmp_path, said, "--only", "decisions", lines=2) as served:

        def peak() -> int:
            text = Path(f"/proc/{served.process.pid}/status").read_text()
            return int(text.partition("VmHWM:")[2].split()[0])

        async def sent(size: int) -> Any:
            """Send a large message, as much of it as is taken."""
            async with Channel(path=str(tmp_path / "envoy.sock")) as channel:
                method = UnaryUnaryMethod(
                    channel, CHECK_METHOD, auth.CheckRequest, auth.CheckResponse
                )
                async with method.open(timeout=60) as stream:
                    await stream.send_request()
                    said = shaped(request(), raw_body=bytes(size))
                    flooding = asyncio.ensure_future(
                        stream.send_message(said, end=True)
                    )
                    answer = await stream.recv_message()
                    flooding.cancel()
                    with suppress(StreamTerminatedError, asyncio.CancelledError):
                        await flooding
                    await stream.cancel()
                return answer

        asyncio.run(sent_once(tmp_path))
        before = peak()
        answer = asyncio.run(sent(64 << 20))
        assert answer.denied_response.status.code == 503
        assert peak() - before < 16 << 10, "kilobytes"
        assert served.end() == 0


async def sent_once(folder: Path) -> None:
    from tests.pdp.envoy.test_ext_authz import check

    answer = await check(request(), path=str(folder / "envoy.sock"))
    assert answer.status.code == auth.OK


class Doors:
    """The gateway and ext_authz of one process, asked the same."""

    def __init__(self, served: Serving) -> None:
        self._served = served
        self._connection = http.client.HTTPConnection(served.gateway, timeout=SECONDS)

    def close(self) -> None:
        self._connection.close()

    def gateway(self, sent: Sent) -> bool:
        """Return whether the gateway sends it on."""
        connection = self._connection
        try:
            connection.putrequest(sent.method, "/mcp/files", skip_accept_encoding=True)
            for name, value in sent.fields:
                connection.putheader(name, value)
            if sent.body:
                connection.putheader("content-length", str(len(sent.body)))
            connection.endheaders(sent.body or None)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            return False
        # The server behind answers neither GET nor DELETE.
        return answer.status in (202, 501) or (
            answer.status == 200 and b'"result"' in body
        )

    async def envoy(self, every: list[Sent], *, raw: bool) -> list[bool]:
        """Tell of each whether ext_authz lets it go on."""
        found = []
        async with Channel(path=str(self._served.folder / "envoy.sock")) as channel:
            ask = UnaryUnaryMethod(
                channel, CHECK_METHOD, auth.CheckRequest, auth.CheckResponse
            )
            for sent in every:
                answer = await ask(held(sent, raw=raw), timeout=SECONDS)
                found.append(answer.status.code == auth.OK)
        return found


def held(sent: Sent, *, raw: bool) -> Any:
    """What Envoy tells of a request: fields merged by name, or as they came."""
    said = request(sent.body, method=sent.method)
    said.attributes.request.http.headers.clear()
    http = said.attributes.request.http
    http.size = len(sent.body)
    pairs = list(sent.fields)
    if sent.body:
        pairs.append(("content-length", str(len(sent.body)).encode()))
    if raw:
        headers = [HeaderValue(key=name, raw_value=value) for name, value in pairs]
        http.header_map.CopyFrom(HeaderMap(headers=headers))
        return said
    for name, value in pairs:
        text = value.decode("utf-8", "replace")
        before = http.headers.get(name)
        http.headers[name] = text if before is None else f"{before},{text}"
    return said


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.world)])
def test_both_doors_decide_alike_or_ext_authz_is_stricter(
    tmp_path: Path, counted: list[str], count: int
) -> None:
    write_policy(tmp_path, "files/write")
    point = {
        "listen": [{"unix": "pdp.sock"}],
        "ext_authz": [{"unix": "envoy.sock"}],
        "callers": [{"unix": {"uid": os.getuid()}}],
    }
    generator = random.Random(21)  # noqa: S311 - cases, not keys
    every = [generated(generator) for _ in range(count)]
    with backend() as server:
        said = configuration(
            server.server_port, policy=["rules.cedar"], decisions=point
        )
        with serving(tmp_path, said, lines=5) as served:
            doors = Doors(served)
            merged = asyncio.run(doors.envoy(every, raw=False))
            as_sent = asyncio.run(doors.envoy(every, raw=True))
            gateways = [doors.gateway(sent) for sent in every]
            doors.close()
            for sent, gateway, *envoy in zip(
                every, gateways, merged, as_sent, strict=True
            ):
                for passes in envoy:
                    assert gateway or not passes, sent
                both = gateway and all(envoy)
                kind = (
                    "pass both"
                    if both
                    else "stricter"
                    if gateway
                    else "refused by both"
                )
                counted.append(kind)
    assert counted.count("pass both") > count / 10
    assert counted.count("stricter") < count / 10

"""Envoy over gRPC: who may ask, and that nothing but a yes lets a call go on."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from grpclib.client import Channel, UnaryUnaryMethod

from answerable.connectors.config.fetch import read_config_file
from answerable.model.errors import EnvironmentFailure
from answerable.pdp.envoy import ext_authz_proto as auth
from answerable.pdp.envoy.check_evaluation import CheckHandler
from answerable.pdp.envoy.grpc_service import CHECK_METHOD
from answerable.server.large_body_parser import MIN_SIZE
from tests.gateway.serve.running_gateway import (
    command_line,
    configuration,
    serving,
    token_of,
)
from tests.pdp.decision_point_harness import deciding, settings
from tests.pdp.envoy.test_check_request import message, request

POINT: dict[str, Any] = {
    "listen": [{"unix": "pdp.sock"}],
    "ext_authz": [{"address": "127.0.0.1:0"}, {"unix": "envoy.sock"}],
    "callers": [{"issuer": "corp", "sub": "envoy"}],
}
OURS = {"unix": {"uid": os.getuid()}}

Check = Callable[..., Coroutine[Any, Any, Any]]


async def check(said: Any, metadata: dict[str, str] | None = None, **at: Any) -> Any:
    async with Channel(**at) as channel:
        method = UnaryUnaryMethod(
            channel, CHECK_METHOD, auth.CheckRequest, auth.CheckResponse
        )
        return await method(said, metadata=metadata, timeout=60)


def test_envoys_that_the_file_names_are_answered(tmp_path: Path) -> None:
    said = configuration(9, decisions=POINT | {"callers": [*POINT["callers"], OURS]})
    with serving(tmp_path, said, "--only", "decisions", lines=3) as served:
        host, _, port = served.ext_authz.partition(":")  # type: ignore[attr-defined]

        async def asked() -> list[int]:
            at = {"host": host, "port": int(port)}
            token = {"authorization": f"Bearer {token_of('envoy')}"}
            answers = [
                await check(request(), path=str(tmp_path / "envoy.sock")),
                await check(request(), token, **at),
                await check(request(path="/mcp/other"), token, **at),
                await check(request(), **at),
                await check(request(), {"authorization": "Bearer x"}, **at),
                await check(
                    request(), {"authorization": f"Bearer {token_of('ana')}"}, **at
                ),
            ]
            return [
                answer.denied_response.status.code
                if answer.status.code != auth.OK
                else auth.OK
                for answer in answers
            ]

        assert asyncio.run(asked()) == [auth.OK, auth.OK, 200, 503, 503, 503]
        assert served.end() == 0
        assert not [line for line in served.log if line["event"] == "text"]


def test_a_large_body_is_parsed_in_another_process(tmp_path: Path) -> None:
    """With the same answer, also where that process was killed."""
    padding = "x" * MIN_SIZE
    allowed = message(arguments={"a": padding})
    denied = message(name="remove", arguments={"a": padding})
    point_said = POINT | {"callers": [OURS], "ext_authz": [{"unix": "envoy.sock"}]}
    with serving(
        tmp_path, configuration(9, decisions=point_said), "--only", "decisions", lines=2
    ) as served:

        async def ask_each() -> list[int]:
            at = str(tmp_path / "envoy.sock")
            sent = (request(allowed), request(denied), request(b"[" * MIN_SIZE))
            answers = [await check(each, path=at) for each in sent]
            return [each.denied_response.status.code for each in answers]

        assert asyncio.run(ask_each()) == [0, 200, 400]
        (parser,) = (
            each
            for each in served.children()
            if "answerable.server.large_body_worker" in command_line(each)
        )
        os.kill(parser, signal.SIGKILL)
        assert asyncio.run(ask_each()) == [0, 200, 400]
        assert served.hear("body-parser.failed")["level"] == "warning"
        assert served.end() == 0


def test_a_failure_in_here_stops_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of gRPC would let it pass where Envoy is set so."""

    def fail(*_: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(CheckHandler, "check", fail)
    point_said = POINT | {"callers": [OURS], "ext_authz": [{"unix": "envoy.sock"}]}
    with deciding(tmp_path, settings(decisions=point_said)) as point:
        [listener] = point.house.plan.point.ext_authz
        point.run(point.house._open_envoy_listener(listener))
        answer = point.run(check(request(), path=str(tmp_path / "envoy.sock")))
        assert answer.status.code == auth.PERMISSION_DENIED
        assert answer.denied_response.status.code == 503
        assert "s3cret" not in str(answer)
        point.house.drain()


def test_without_its_packages_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for name in [
        each for each in sys.modules if each.startswith("answerable.pdp.envoy")
    ]:
        if name != "answerable.pdp.envoy.optional_imports":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "grpclib.server", None)
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    point_said = POINT | {"ext_authz": [{"unix": "envoy.sock"}]}
    with deciding(tmp_path, settings(decisions=point_said)) as point:
        [listener] = point.house.plan.point.ext_authz
        with pytest.raises(EnvironmentFailure, match="grpclib and protobuf") as caught:
            point.run(point.house._open_envoy_listener(listener))
        assert caught.value.hint == "pip install 'answerable[ext-authz]'"


def test_a_listener_outside_loopback_needs_tls(tmp_path: Path) -> None:
    import json

    listener = [{"address": "0.0.0.0:1"}]
    said = configuration(9, decisions=POINT | {"ext_authz": listener})
    (tmp_path / "answerable.yaml").write_text(json.dumps(said))
    faults = read_config_file(str(tmp_path / "answerable.yaml")).faults
    assert [fault.path for fault in faults] == ["decisions.ext_authz[0].address"]

"""Names that a policy reads one way, and the server behind it another way.

The same attacks at every place that decides: the gateway over HTTP, the wrapper of a
stdio server, the hook, AuthZEN and Envoy's ext_authz, each as a running process but the
hook, which is one call.
"""

import asyncio
import http.client
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.pdp.envoy import ext_authz_proto as auth
from tests.attacks.name_lookalikes import HONEST, UPWARDS, lookalikes
from tests.gateway.hook.test_clients import claude
from tests.gateway.request_builders import META, VERSION
from tests.gateway.serve.running_gateway import (
    SECONDS,
    Serving,
    backend,
    configuration,
    serving,
    token_of,
)
from tests.gateway.stdio.wrapper_fixture import call as line
from tests.gateway.stdio.wrapper_fixture import settings as scripted
from tests.gateway.stdio.wrapper_fixture import wrapper
from tests.pdp.envoy.test_check_request import message, request
from tests.pdp.envoy.test_ext_authz import check
from tests.pdp.runtime.test_process import POINT, ask

Door = Callable[[dict[str, Any]], str]

POLICY = """\
@id("small") permit (principal, action == Action::"tools/call", resource == TOOL)
when { context.arguments.amount <= 100 };
@ask @id("large") forbid (principal, action == Action::"tools/call", resource == TOOL)
when { context.arguments has limit && context.arguments.limit > 1000 };
@id("big") forbid (principal, action == Action::"tools/call", resource == TOOL)
when { context.arguments has opts && context.arguments.opts.kind == "big" };
@id("srv") forbid (principal, action == Action::"tools/call", resource == TOOL)
when { context.arguments has path && !(context.arguments.path like "/srv/*") };
@id("sum") forbid (principal, action == Action::"tools/call", resource == TOOL)
when { context.arguments has more && context.arguments.more + 1 > 1000 };
@id("files") permit (principal, action == Action::"resources/read", resource)
when { resource.name like "file:///srv/*" };
"""


def write_policy(folder: Path, tool: str) -> None:
    text = POLICY.replace("TOOL", f'Tool::"tool:mcp/{tool}"')
    (folder / "rules.cedar").write_text(text)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A gateway, AuthZEN and ext_authz that decide by one file."""
    folder = tmp_path_factory.mktemp("served")
    write_policy(folder, "files/write")
    with backend() as server:
        point = POINT | {"ext_authz": [{"unix": "envoy.sock"}]}
        said = configuration(
            server.server_port, policy=["rules.cedar"], decisions=point
        )
        with serving(folder, said, lines=5) as running:
            yield running


@contextmanager
def at_gateway(served: Serving, _: Path) -> Iterator[Door]:
    connection = http.client.HTTPConnection(served.gateway, timeout=SECONDS)

    def http_server(arguments: dict[str, Any]) -> str:
        return _effect(post(connection, "tools/call", "write", arguments=arguments))

    yield http_server
    connection.close()


def post(
    connection: http.client.HTTPConnection, method: str, name: str, **more: Any
) -> Any:
    key = "uri" if method == "resources/read" else "name"
    said = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": method,
        "params": {key: name, "_meta": META} | more,
    }
    fields = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "mcp-method": method,
        "mcp-name": name,
        "authorization": f"Bearer {token_of('ana')}",
    }
    connection.request("POST", "/mcp/files", json.dumps(said), fields)
    return json.loads(connection.getresponse().read())


def _effect(answer: Any) -> str:
    error = answer.get("error")
    return "allow" if error is None else error["data"]["decision"]


@contextmanager
def at_authzen(served: Serving, _: Path) -> Iterator[Door]:
    bearer = f"Bearer {token_of('pep')}"
    where = served.decisions  # type: ignore[attr-defined]

    def http_server(arguments: dict[str, Any]) -> str:
        said = {
            "subject": {"type": "identity", "id": "ana"},
            "action": {"name": "tools/call", "properties": {"arguments": arguments}},
            "resource": {"type": "tool", "id": "tool:mcp/files/write"},
        }
        status, told = ask(where, "/access/v1/evaluation", said, authorization=bearer)
        assert status == 200, told
        return "allow" if told["decision"] else told["context"]["decision"]

    yield http_server


@contextmanager
def at_envoy(served: Serving, _: Path) -> Iterator[Door]:
    path = str(served.folder / "envoy.sock")

    def http_server(arguments: dict[str, Any]) -> str:
        said = request(message(name="write", arguments=arguments))
        answer = asyncio.run(check(said, path=path))
        if answer.status.code == auth.OK:
            return "allow"
        return _effect(json.loads(answer.denied_response.body or "{}"))

    yield http_server


@contextmanager
def at_wrapper(_: Serving, folder: Path) -> Iterator[Door]:
    write_policy(folder, "scripted/echo")
    said = scripted(policy=["rules.cedar"])
    said["agents"]["desktop"]["allow"] = [{"server": "scripted", "tools": ["heard"]}]
    with wrapper(folder, config=said) as wrapped:

        def http_server(arguments: dict[str, Any]) -> str:
            return _effect(wrapped.ask(line("echo", **arguments)))

        yield http_server


HOOKED = """\
store: store
servers:
  shell: {hook: claude-code, reads: [Read]}
agents:
  dev: {callers: [{stdio: shell}]}
policy: [rules.cedar]
"""


@contextmanager
def at_hook(_: Serving, folder: Path) -> Iterator[Door]:
    write_policy(folder, "shell/Pay")
    (folder / "answerable.yaml").write_text(HOOKED)

    def http_server(arguments: dict[str, Any]) -> str:
        data = json.dumps(claude("Pay", **arguments)).encode()
        said: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("HOME", str(folder))
            stdin = SimpleNamespace(buffer=io.BytesIO(data))
            patch.setattr("sys.stdin", stdin)
            out = SimpleNamespace(write=said.append, flush=lambda: None)
            out.buffer = SimpleNamespace(
                write=lambda given: said.append(given.decode()), flush=lambda: None
            )
            patch.setattr("sys.stdout", out)
            config = str(folder / "answerable.yaml")
            assert main(["hook", "claude-code", "--config", config]) == 0
        return "deny" if "".join(said).strip() else "allow"

    yield http_server


DOORS = (at_gateway, at_authzen, at_envoy, at_wrapper, at_hook)
SLOW = (at_hook,)  # a process each


@pytest.mark.parametrize("opened", DOORS, ids=lambda each: each.__name__)
def test_a_name_that_others_take_for_one_that_a_policy_reads_has_no_answer(
    opened: Any, served: Serving, tmp_path: Path, counted: list[str]
) -> None:
    attacks = lookalikes()[:: 9 if opened in SLOW else 1]
    no = "deny" if opened in SLOW else "error"
    with opened(served, tmp_path) as http_server:
        for each in HONEST[: 2 if opened in SLOW else None]:
            assert http_server(each) == "allow", each
        for each in attacks:
            assert http_server(each) == no, each
            counted.append("look-alike")
        assert http_server({"amount": 500}) == "deny"


@pytest.mark.parametrize("opened", DOORS, ids=lambda each: each.__name__)
def test_a_path_that_leads_out_of_a_prefix_has_no_answer(
    opened: Any, served: Serving, tmp_path: Path, counted: list[str]
) -> None:
    no = "deny" if opened in SLOW else "error"
    with opened(served, tmp_path) as http_server:
        for each in UPWARDS[:: 7 if opened in SLOW else 1]:
            assert http_server({"amount": 5, "path": each}) == no, each
            counted.append("path")
        assert http_server({"amount": 5, "path": "/etc/passwd"}) == "deny"


def test_a_resource_that_leads_out_of_a_prefix_has_no_answer(
    served: Serving, counted: list[str]
) -> None:
    connection = http.client.HTTPConnection(served.gateway, timeout=SECONDS)
    for each in ("file:///srv/a", "file:///srv/a%20b", "file:///srv/sub/"):
        assert _effect(post(connection, "resources/read", each)) == "allow", each
    for each in UPWARDS:
        if each.isascii() and each.isprintable():
            answer = post(connection, "resources/read", f"file://{each}")
            assert _effect(answer) == "error", each
            counted.append("uri")
    connection.close()


def test_policies_that_compare_with_a_prefix_are_named_at_the_start(
    served: Serving,
) -> None:
    said = served.hear("policy.prefix")["policies"]
    assert [each.partition(": compares ")[0] for each in said] == [
        "rules.cedar:srv",
        "rules.cedar:files",
    ]
    assert "context.arguments.path" in said[0]

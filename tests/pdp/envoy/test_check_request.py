"""What Envoy holds is read, identified and decided as at the gateway, or denied."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from answerable.model.caller import AuthenticationMethod
from answerable.pdp.enforcement_points import EnforcementPoint
from answerable.pdp.envoy import ext_authz_proto as auth
from answerable.pdp.envoy.check_evaluation import CheckHandler
from answerable.server.revocation_list import RevocationFile
from tests.authority import Authority
from tests.federation.sample_tokens import OTHER_EC, document, public
from tests.gateway.request_builders import META, VERSION
from tests.gateway.serve.running_gateway import bound_token, token_of
from tests.pdp.decision_point_harness import DecisionPointHarness, deciding, settings

ENVOY = EnforcementPoint("uid:990", ())
HOST = "mcp.example"
AttributeContext, HttpRequest, Peer, Request = map(
    auth.get_message_class, ("AttributeContext", "HttpRequest", "Peer", "Request")
)


def message(method: str = "tools/call", **params: Any) -> dict[str, Any]:
    named = {"name": "read", "arguments": {}} if method == "tools/call" else {}
    said = named | params | {"_meta": META}
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": said}


def request(
    said: Any = None,
    token: str | None = None,
    *,
    path: str = "/mcp/files",
    method: str = "POST",
    extensions: dict[str, str] | None = None,
    source: dict[str, str] | None = None,
    **fields: str | None,
) -> Any:
    """A request as Envoy passes it on, with its body as bytes."""
    said = message() if said is None else said
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    named: dict[str, str | None] = {
        ":method": method,
        ":path": path,
        ":authority": HOST,
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": VERSION,
        "authorization": f"Bearer {token_of('ana')}"
        if token is None
        else token or None,
    }
    if isinstance(said, dict):
        named["mcp-method"] = said["method"]
        named["mcp-name"] = said["params"].get("name") or said["params"].get("uri")
    named |= {name.replace("_", "-"): value for name, value in fields.items()}
    http = HttpRequest(
        method=method,
        path=path,
        host=HOST,
        scheme="https",
        headers={name: value for name, value in named.items() if value is not None},
        raw_body=body,
    )
    return auth.CheckRequest(
        attributes=AttributeContext(
            request=Request(http=http),
            source=Peer(**(source or {})),
            context_extensions=extensions or {},
        )
    )


class EnvoyClient:
    """Asks a decision point as an Envoy that may."""

    def __init__(self, point: DecisionPointHarness) -> None:
        house = point.house
        self.point = point
        self.checking = CheckHandler(
            house._evaluating,
            house._callers,
            house._recorder,
            time.time,
            house._large_bodies,
        )

    def __call__(self, said: Any, asked_by: EnforcementPoint = ENVOY) -> Any:
        return self.point.run(self.checking.check(said, asked_by))

    def passes(self, said: Any, asked_by: EnforcementPoint = ENVOY) -> bool:
        answer = self(said, asked_by)
        is_ok = answer.status.code == auth.OK
        assert is_ok is answer.HasField("ok_response")
        assert is_ok is not answer.HasField("denied_response")
        return is_ok


@pytest.fixture(scope="module")
def ask(point: DecisionPointHarness) -> EnvoyClient:
    return EnvoyClient(point)


def denied(answer: Any) -> tuple[int, Any]:
    assert answer.status.code != auth.OK
    told = answer.denied_response
    return told.status.code, json.loads(told.body) if told.body else None


def fields_of(answer: Any) -> dict[str, str]:
    return {each.header.key: each.header.value for each in answer.headers}


def test_what_a_rule_allows_goes_on_without_the_callers_token(ask: EnvoyClient) -> None:
    answer = ask(request())
    assert answer.status.code == auth.OK
    assert list(answer.ok_response.headers_to_remove) == ["authorization", "dpop"]
    fields = fields_of(answer.ok_response)
    record = ask.point.decided()[-1]
    assert fields == {"x-answerable-decision-id": record.id}
    assert record.caller.agent == "agent:declared/ana"
    assert record.caller.shown is AuthenticationMethod.BEARER_TOKEN
    assert (record.act.server, record.act.name) == ("files", "read")
    assert record.act.asked_by == "uid:990"


def test_what_no_rule_allows_is_answered_as_the_gateway_does(ask: EnvoyClient) -> None:
    status, told = denied(ask(request(message(name="write"), mcp_name="write")))
    record = ask.point.decided()[-1]
    assert status == 200
    assert told == {
        "jsonrpc": "2.0",
        "id": 7,
        "error": {
            "code": -31403,
            "message": "Denied by policy.",
            "data": {"decision": "deny", "decision_id": record.id},
        },
    }


@pytest.mark.parametrize(
    "token",
    ["", "Bearer x", f"Bearer {token_of('ana', exp=1)}", f"Bearer {token_of('ana')},x"],
)
def test_whoever_shows_no_token_that_holds_gets_a_challenge(
    ask: EnvoyClient, token: str
) -> None:
    answer = ask(request(token=token))
    status, told = denied(answer)
    assert (status, told) == (401, None)
    challenge = fields_of(answer.denied_response)["www-authenticate"]
    assert f"https://{HOST}/.well-known/oauth-protected-resource" in challenge


def test_a_bound_token_holds_with_the_certificate_that_envoy_saw(
    ask: EnvoyClient, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    own, other = authority.issue("own"), authority.issue("other")
    bound = f"Bearer {bound_token('ana', own.thumbprint)}"

    def shown(pem: str) -> dict[str, str]:
        return {"certificate": quote(pem)}

    assert ask.passes(request(token=bound, source=shown(own.certificate.read_text())))
    for source in (shown(other.certificate.read_text()), shown("x"), {}):
        assert denied(ask(request(token=bound, source=source)))[0] == 401


def test_the_certificate_alone_names_an_agent_that_the_file_says_so_of(
    tmp_path: Path,
) -> None:
    spiffe = "spiffe://example.org/invoices"
    said = settings()
    (tmp_path / "bundle.json").write_bytes(document(public(OTHER_EC, kid="k2")))
    said["issuers"]["domain"] = {
        "iss": "spiffe://example.org",
        "audience": "https://x.example",
        "keys": "bundle.json",
        "tokens": ["jwt-svid"],
        "algs": ["ES256"],
    }
    said["agents"]["ana"]["callers"].append({"issuer": "domain", "sub": spiffe})
    with deciding(tmp_path, said) as point:
        ask = EnvoyClient(point)
        assert ask.passes(request(token="", source={"principal": spiffe}))
        assert point.decided()[-1].caller.principal == f"domain/{spiffe}"
        for principal in (
            "spiffe://example.org/other",
            "spiffe://example.org.evil/invoices",
            "spiffe://other.org/invoices",
            "domain",
        ):
            answer = ask(request(token="", source={"principal": principal}))
            assert denied(answer)[0] == 401, principal
        both = request(token="Bearer x", source={"principal": spiffe})
        assert denied(ask(both))[0] == 401, "a token that does not hold is refused"


def test_the_route_may_name_the_server(ask: EnvoyClient) -> None:
    named = {"server": "files"}
    assert ask.passes(request(path="/any/where?x=1", extensions=named))
    assert not ask.passes(request(path="/any/where"))
    elsewhere = request(path="/mcp/files", extensions={"server": "other"})
    assert not ask.passes(elsewhere), "what the route says comes first"


def test_an_envoy_that_may_ask_about_some_servers_hears_no_about_others(
    ask: EnvoyClient,
) -> None:
    assert ask.passes(request(), EnforcementPoint("uid:990", ("files",)))
    assert not ask.passes(request(), EnforcementPoint("uid:990", ("other",)))


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"said": b""}, 400),
        ({"said": b"[]"}, 400),
        ({"said": b'{"jsonrpc": "2.0", "id": 1, "method": "a", "method": "b"}'}, 400),
        ({"mcp_method": "tools/list"}, 400),
        ({"mcp_name": "other"}, 400),
        ({"content_type": "text/plain"}, 415),
        ({"accept": "text/html"}, 406),
        ({"method": "PUT"}, 405),
        ({"path": "/mcp/files/.."}, 404),
        ({"path": "/mcp/files?x"}, 404),
        ({"x_envoy_auth_partial_body": "true"}, 400),
        ({"said": message("nothing/known")}, 404),
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused(
    ask: EnvoyClient, changed: dict[str, Any], status: int
) -> None:
    assert denied(ask(request(**changed)))[0] == status


def test_what_the_gateway_alone_knows_the_owner_of_is_denied(ask: EnvoyClient) -> None:
    for said in (
        message("tasks/get", taskId="t"),
        message(requestState="s"),
        message("subscriptions/listen", notifications={"taskIds": ["t"]}),
    ):
        name = said["params"].get("name") or said["params"].get("taskId")
        answer = ask(request(said, mcp_name=name))
        status, told = denied(answer)
        assert status == 200, told
        assert ask.point.decided()[-1].decision.reason == "not-its-own"


def test_lists_discovery_and_streams_are_decided_too(ask: EnvoyClient) -> None:
    for method in ("tools/list", "server/discover"):
        assert ask.passes(request(message(method)))
        nobody = request(message(method), token=f"Bearer {token_of('nobody')}")
        assert not ask.passes(nobody)
    watched = {"resourceSubscriptions": ["file:///etc"]}
    assert not ask.passes(
        request(message("subscriptions/listen", notifications=watched))
    )
    assert ask.passes(request(message("subscriptions/listen", notifications={})))


def test_what_a_client_says_of_itself_changes_nothing(ask: EnvoyClient) -> None:
    for name in (
        "user_agent",
        "baggage",
        "x_forwarded_for",
        "x_answerable_decision_id",
    ):
        more = {name: "agent:declared/ben admin"}
        assert ask.passes(request(**more))
        refused = request(message(name="write"), mcp_name="write", **more)
        assert not ask.passes(refused)


def test_a_kill_holds(tmp_path: Path) -> None:
    with deciding(tmp_path) as point:
        ask = EnvoyClient(point)
        assert ask.passes(request())
        RevocationFile(tmp_path / "store/gateway").revoke("run:ana")
        point.house.core.revocations.refresh()
        assert not ask.passes(request())


@pytest.fixture(autouse=True)
def nothing_is_left_under_way(point: DecisionPointHarness) -> Iterator[None]:
    yield
    assert not point.house._http_server.in_flight

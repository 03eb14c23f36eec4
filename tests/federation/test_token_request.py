"""Security test 9 at the token endpoint: one reading of a form, or a refusal."""

import time
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.federation.denials import Why
from answerable.federation.form_parsing import MAX_BODY, MAX_PARAMETERS
from answerable.federation.strict_json import base64url
from answerable.federation.token_request import ASSERTION_TYPE, read_request
from answerable.model.claims import TokenType
from answerable.model.exchange import (
    PEER,
    TICKET,
    GrantType,
    OAuthError,
    Refusal,
    TokenRequest,
)

EXCHANGE = {
    "grant_type": GrantType.TOKEN_EXCHANGE.value,
    "subject_token": "a.b.c",
    "subject_token_type": TokenType.JWT.value,
    "audience": "https://u.example",
}
BEARER = {"grant_type": GrantType.JWT_BEARER.value, "assertion": "a.b.c"}
CLIENT = {
    "grant_type": GrantType.CLIENT_CREDENTIALS.value,
    "client_assertion_type": ASSERTION_TYPE,
    "client_assertion": "a.b.c",
}


def body(form: Any = EXCHANGE, **changes: Any) -> bytes:
    members = {**form, **changes}
    return urlencode({k: v for k, v in members.items() if v is not ...}).encode()


def read(data: bytes) -> TokenRequest:
    found = read_request(data)
    assert isinstance(found, TokenRequest), found
    return found


def refused(why: Why, data: bytes) -> Refusal:
    found = read_request(data)
    assert isinstance(found, Refusal), found
    assert found.reason == why, found
    return found


def test_an_exchange_is_read() -> None:
    assert read(
        body(
            actor_token="d.e.f",
            actor_token_type=TokenType.ACCESS_TOKEN.value,
            scope="tools:read tools:deploy tools:read",
            requested_token_type=TokenType.ID_JAG.value,
            client_id="deploy bot",
        )
    ) == TokenRequest(
        grant_type=GrantType.TOKEN_EXCHANGE,
        unverified_subject="a.b.c",
        subject_type=TokenType.JWT.value,
        unverified_actor="d.e.f",
        actor_type=TokenType.ACCESS_TOKEN.value,
        requested_type=TokenType.ID_JAG,
        audience="https://u.example",
        scopes=("tools:read", "tools:deploy"),
        client_id="deploy bot",
    )


def test_an_assertion_is_read_and_an_id_jag_by_its_typ() -> None:
    def kind(header: bytes) -> str:
        return read(body(BEARER, assertion=f"{base64url(header)}.b.c")).subject_type

    assert read(body(BEARER)).subject_type == TokenType.JWT
    assert kind(b'{"typ":"oauth-id-jag+jwt"}') == TokenType.ID_JAG
    assert kind(b'{"typ":"application/OAuth-ID-JAG+jwt"}') == TokenType.ID_JAG
    for header in (b"{}", b'{"typ":7}', b"[]", b'{"typ":"a","typ":"oauth-id-jag+jwt"}'):
        assert kind(header) == TokenType.JWT
    assert (
        kind(b'{"typ":"oauth-id-jag+jwt","x":"' + b"x" * 4096 + b'"}') == TokenType.JWT
    )


def test_a_client_assertion_is_the_subject_and_a_jwt_alone() -> None:
    jag = base64url(b'{"typ":"oauth-id-jag+jwt"}') + ".b.c"
    found = read(
        body(CLIENT, client_assertion=jag, client_id="a", client_secret="x", scope="r")
    )
    assert found == TokenRequest(
        grant_type=GrantType.CLIENT_CREDENTIALS,
        unverified_subject=jag,
        subject_type=TokenType.JWT.value,
        unverified_actor="",
        actor_type="",
        requested_type=TokenType.ACCESS_TOKEN,
        audience="",
        scopes=("r",),
        client_id="a",
    )


@pytest.mark.parametrize(
    ("scope", "audience", "scopes"),
    [
        ("https://u.example/.default", "https://u.example", ()),
        ("https://u.example//.default", "https://u.example/", ()),
        ("api://files/.default", "api://files", ()),
        ("u/.default u/.default", "u", ()),
        ("https://u.example/.defaults", "", ("https://u.example/.defaults",)),
        (".default", "", (".default",)),
        ("https://u.example/.DEFAULT", "", ("https://u.example/.DEFAULT",)),
    ],
)
def test_a_clients_scope_may_name_its_audience_as_for_azure(
    scope: str, audience: str, scopes: tuple[str, ...]
) -> None:
    found = read(body(CLIENT, scope=scope))
    assert (found.audience, found.scopes) == (audience, scopes)
    # In every other grant it is a scope like any other.
    for other in (EXCHANGE, BEARER):
        assert read(body(other, scope=scope)).scopes == tuple(
            dict.fromkeys(scope.split())
        )


def test_the_peer_of_a_connection_shows_no_token() -> None:
    peer = body(subject_token=..., subject_token_type=PEER)
    assert read(peer).unverified_subject == ""
    refused(Why.PARAMETER, body(subject_token_type=PEER))
    both = read(body(actor_token_type=PEER))
    assert (both.unverified_actor, both.actor_type) == ("", PEER)
    assert read(body(subject_token_type=TICKET)).subject_type == TICKET


@pytest.mark.parametrize(
    ("data", "why", "error"),
    [
        (b"", Why.PARAMETER, OAuthError.INVALID_REQUEST),
        (b"grant_type=", Why.PARAMETER, OAuthError.INVALID_REQUEST),
        (b"grant_type=password", Why.GRANT_TYPE, OAuthError.UNSUPPORTED_GRANT_TYPE),
        (body(subject_token=...), Why.PARAMETER, OAuthError.INVALID_REQUEST),
        (body(subject_token_type=...), Why.PARAMETER, OAuthError.INVALID_REQUEST),
        (body(subject_token_type="jwt"), Why.TOKEN_TYPE, OAuthError.INVALID_REQUEST),
        (body(actor_token="a.b.c"), Why.PARAMETER, OAuthError.INVALID_REQUEST),
        (
            body(actor_token="a", actor_token_type=TICKET),
            Why.TOKEN_TYPE,
            OAuthError.INVALID_REQUEST,
        ),
        (
            body(actor_token_type=TokenType.JWT.value),
            Why.PARAMETER,
            OAuthError.INVALID_REQUEST,
        ),
        (
            body(requested_token_type=TokenType.ID_TOKEN.value),
            Why.TOKEN_TYPE,
            OAuthError.INVALID_REQUEST,
        ),
        (body(subject_token="a b"), Why.PARAMETER, OAuthError.INVALID_REQUEST),
        (body(subject_token="\u00e4"), Why.PARAMETER, OAuthError.INVALID_REQUEST),
        (body(client_id="a\nb"), Why.PARAMETER, OAuthError.INVALID_REQUEST),
        (body(scope="a  b"), Why.SCOPE, OAuthError.INVALID_SCOPE),
        (body(scope=" a"), Why.SCOPE, OAuthError.INVALID_SCOPE),
        (body(scope='a"b'), Why.SCOPE, OAuthError.INVALID_SCOPE),
        (body(scope="a\u00a0b"), Why.SCOPE, OAuthError.INVALID_SCOPE),
        (body(resource="https://v"), Why.TARGET, OAuthError.INVALID_TARGET),
        (body(BEARER, assertion=...), Why.PARAMETER, OAuthError.INVALID_REQUEST),
        *(
            (body(CLIENT, **changes), why, OAuthError(error))
            for changes, why, error in (
                ({"client_assertion": ...}, Why.PARAMETER, "invalid_request"),
                (
                    {"client_assertion": ..., "client_secret": "s"},
                    Why.PARAMETER,
                    "invalid_request",
                ),
                ({"client_assertion_type": ...}, Why.PARAMETER, "invalid_request"),
                (
                    {"client_assertion_type": GrantType.JWT_BEARER.value},
                    Why.TOKEN_TYPE,
                    "invalid_request",
                ),
                ({"client_id": "\u00e4"}, Why.PARAMETER, "invalid_request"),
                # An audience that is said as a scope is the only one, and stands alone.
                ({"scope": "/.default"}, Why.SCOPE, "invalid_scope"),
                ({"scope": "https://u/.default read"}, Why.SCOPE, "invalid_scope"),
                ({"scope": "read https://u/.default"}, Why.SCOPE, "invalid_scope"),
                ({"scope": "u/.default v/.default"}, Why.SCOPE, "invalid_scope"),
                ({"scope": f"{'u' * 5000}/.default"}, Why.SCOPE, "invalid_scope"),
                (
                    {"scope": "https://u/.default", "audience": "https://u"},
                    Why.TARGET,
                    "invalid_target",
                ),
                (
                    {"scope": "https://u/.default", "resource": "https://u"},
                    Why.TARGET,
                    "invalid_target",
                ),
            )
        ),
        (body() + b"&x", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%4", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%zz", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%ff", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%ed%a0%80", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=\xc3\xa4", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=a b", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=\x00", Why.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"\r\n", Why.FORM, OAuthError.INVALID_REQUEST),
    ],
)
def test_what_has_no_one_reading_is_refused(
    data: bytes, why: Why, error: OAuthError
) -> None:
    assert refused(why, data).error is error


def test_a_semicolon_parts_nothing() -> None:
    assert read(body() + b";x=1").audience == "https://u.example;x=1"


@pytest.mark.parametrize("name", [*EXCHANGE, "scope", "x"])
def test_a_parameter_that_comes_twice_is_refused(name: str) -> None:
    once = body(scope="a", x="1")
    for spelled in (name, quote(name), f"%{ord(name[0]):02x}{name[1:]}"):
        twice = once + f"&{spelled}=1".encode()
        assert refused(Why.DUPLICATE_PARAMETER, twice)
        # An empty one is a second one, too.
        assert refused(Why.DUPLICATE_PARAMETER, once + f"&{spelled}=".encode())


def test_a_resource_is_an_absolute_uri_without_a_fragment() -> None:
    for resource in ("https://u.example/mcp?x=1", "urn:example:api", "spiffe://d/x"):
        assert read(body(audience=..., resource=resource)).audience == resource
    for resource in (
        "/mcp",
        "u.example",
        "https://u.example/#",
        "https://u.example/#a",
        "https:///x",
        "https://[",
        "//u.example",
    ):
        refused(Why.TARGET, body(audience=..., resource=resource))


def test_the_caps_hold_to_the_byte_and_cost_little(counted: list[str]) -> None:
    token = "a" * 16_384
    assert read(body(subject_token=token)).unverified_subject == token
    refused(Why.SIZE, body(subject_token=token + "a"))
    refused(Why.SIZE, body(BEARER, assertion=token + "a"))
    full = body() + b"&x=" + b"a" * (MAX_BODY - len(body()) - 3)
    assert len(full) == MAX_BODY
    assert read(full)
    many = body() + b"".join(b"&%d=1" % n for n in range(MAX_PARAMETERS - 4))
    assert read(many)
    refused(Why.SIZE, many + b"&y=1")
    for data in (
        full + b"a",
        b"&" * MAX_BODY,
        b"a=1&" * (MAX_BODY // 4),
        b"x=" + b"%41" * (MAX_BODY // 3 - 1) + b"&",
        b"x=" + b"+" * (MAX_BODY - 3) + b"%",
    ):
        started = time.perf_counter()
        assert isinstance(read_request(data), Refusal)
        counted.append("refused")
        # 5 ms is the target; a busy machine gets some more.
        assert time.perf_counter() - started < 0.05


NOISE = st.dictionaries(
    st.text(min_size=1, max_size=8).map("x_".__add__),
    st.text(max_size=40),
    max_size=5,
)


@given(NOISE)
def test_whatever_else_a_request_carries_is_unread(noise: dict[str, str]) -> None:
    said = "&".join(
        f"{quote_plus(name)}={quote_plus(value)}" for name, value in noise.items()
    )
    data = body() + (b"&" + said.encode() if said else b"")
    assert read(data) == read(body())


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_refusal(data: bytes) -> None:
    assert isinstance(read_request(data), TokenRequest | Refusal)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_refusal_repeats_what_was_sent(name: str, value: str) -> None:
    found = read_request(
        urlencode({"grant_type": "s3cret" + value, name: "x"}).encode()
    )
    assert isinstance(found, Refusal)
    assert "s3cret" not in repr(found)

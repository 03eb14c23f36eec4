"""Security test 9 at the token endpoint: one reading of a form, or a refusal."""

import time
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.federation.denials import DenialReason
from answerable.federation.form_parsing import MAX_BODY, MAX_PARAMETERS
from answerable.federation.strict_json import encode_base64url
from answerable.federation.token_request import ASSERTION_TYPE, parse_token_request
from answerable.model.token_claims import TokenType
from answerable.model.token_request import (
    PEER_TYPE_URI,
    TICKET_TYPE_URI,
    GrantType,
    OAuthError,
    TokenRequest,
    TokenRequestRefusal,
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
    found = parse_token_request(data)
    assert isinstance(found, TokenRequest), found
    return found


def refused(why: DenialReason, data: bytes) -> TokenRequestRefusal:
    found = parse_token_request(data)
    assert isinstance(found, TokenRequestRefusal), found
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
        return read(
            body(BEARER, assertion=f"{encode_base64url(header)}.b.c")
        ).subject_type

    assert read(body(BEARER)).subject_type == TokenType.JWT
    assert kind(b'{"typ":"oauth-id-jag+jwt"}') == TokenType.ID_JAG
    assert kind(b'{"typ":"application/OAuth-ID-JAG+jwt"}') == TokenType.ID_JAG
    for header in (b"{}", b'{"typ":7}', b"[]", b'{"typ":"a","typ":"oauth-id-jag+jwt"}'):
        assert kind(header) == TokenType.JWT
    assert (
        kind(b'{"typ":"oauth-id-jag+jwt","x":"' + b"x" * 4096 + b'"}') == TokenType.JWT
    )


def test_a_client_assertion_is_the_subject_and_a_jwt_alone() -> None:
    jag = encode_base64url(b'{"typ":"oauth-id-jag+jwt"}') + ".b.c"
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
    peer = body(subject_token=..., subject_token_type=PEER_TYPE_URI)
    assert read(peer).unverified_subject == ""
    refused(DenialReason.PARAMETER, body(subject_token_type=PEER_TYPE_URI))
    both = read(body(actor_token_type=PEER_TYPE_URI))
    assert (both.unverified_actor, both.actor_type) == ("", PEER_TYPE_URI)
    assert (
        read(body(subject_token_type=TICKET_TYPE_URI)).subject_type == TICKET_TYPE_URI
    )


@pytest.mark.parametrize(
    ("data", "why", "error"),
    [
        (b"", DenialReason.PARAMETER, OAuthError.INVALID_REQUEST),
        (b"grant_type=", DenialReason.PARAMETER, OAuthError.INVALID_REQUEST),
        (
            b"grant_type=password",
            DenialReason.GRANT_TYPE,
            OAuthError.UNSUPPORTED_GRANT_TYPE,
        ),
        (body(subject_token=...), DenialReason.PARAMETER, OAuthError.INVALID_REQUEST),
        (
            body(subject_token_type=...),
            DenialReason.PARAMETER,
            OAuthError.INVALID_REQUEST,
        ),
        (
            body(subject_token_type="jwt"),
            DenialReason.TOKEN_TYPE,
            OAuthError.INVALID_REQUEST,
        ),
        (body(actor_token="a.b.c"), DenialReason.PARAMETER, OAuthError.INVALID_REQUEST),
        (
            body(actor_token="a", actor_token_type=TICKET_TYPE_URI),
            DenialReason.TOKEN_TYPE,
            OAuthError.INVALID_REQUEST,
        ),
        (
            body(actor_token_type=TokenType.JWT.value),
            DenialReason.PARAMETER,
            OAuthError.INVALID_REQUEST,
        ),
        (
            body(requested_token_type=TokenType.ID_TOKEN.value),
            DenialReason.TOKEN_TYPE,
            OAuthError.INVALID_REQUEST,
        ),
        (body(subject_token="a b"), DenialReason.PARAMETER, OAuthError.INVALID_REQUEST),
        (
            body(subject_token="\u00e4"),
            DenialReason.PARAMETER,
            OAuthError.INVALID_REQUEST,
        ),
        (body(client_id="a\nb"), DenialReason.PARAMETER, OAuthError.INVALID_REQUEST),
        (body(scope="a  b"), DenialReason.SCOPE, OAuthError.INVALID_SCOPE),
        (body(scope=" a"), DenialReason.SCOPE, OAuthError.INVALID_SCOPE),
        (body(scope='a"b'), DenialReason.SCOPE, OAuthError.INVALID_SCOPE),
        (body(scope="a\u00a0b"), DenialReason.SCOPE, OAuthError.INVALID_SCOPE),
        (body(resource="https://v"), DenialReason.TARGET, OAuthError.INVALID_TARGET),
        (
            body(BEARER, assertion=...),
            DenialReason.PARAMETER,
            OAuthError.INVALID_REQUEST,
        ),
        *(
            (body(CLIENT, **changes), why, OAuthError(error))
            for changes, why, error in (
                ({"client_assertion": ...}, DenialReason.PARAMETER, "invalid_request"),
                (
                    {"client_assertion": ..., "client_secret": "s"},
                    DenialReason.PARAMETER,
                    "invalid_request",
                ),
                (
                    {"client_assertion_type": ...},
                    DenialReason.PARAMETER,
                    "invalid_request",
                ),
                (
                    {"client_assertion_type": GrantType.JWT_BEARER.value},
                    DenialReason.TOKEN_TYPE,
                    "invalid_request",
                ),
                ({"client_id": "\u00e4"}, DenialReason.PARAMETER, "invalid_request"),
                # An audience that is said as a scope is the only one, and stands alone.
                ({"scope": "/.default"}, DenialReason.SCOPE, "invalid_scope"),
                (
                    {"scope": "https://u/.default read"},
                    DenialReason.SCOPE,
                    "invalid_scope",
                ),
                (
                    {"scope": "read https://u/.default"},
                    DenialReason.SCOPE,
                    "invalid_scope",
                ),
                (
                    {"scope": "u/.default v/.default"},
                    DenialReason.SCOPE,
                    "invalid_scope",
                ),
                (
                    {"scope": f"{'u' * 5000}/.default"},
                    DenialReason.SCOPE,
                    "invalid_scope",
                ),
                (
                    {"scope": "https://u/.default", "audience": "https://u"},
                    DenialReason.TARGET,
                    "invalid_target",
                ),
                (
                    {"scope": "https://u/.default", "resource": "https://u"},
                    DenialReason.TARGET,
                    "invalid_target",
                ),
            )
        ),
        (body() + b"&x", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%4", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%zz", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%ff", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=%ed%a0%80", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=\xc3\xa4", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=a b", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"&x=\x00", DenialReason.FORM, OAuthError.INVALID_REQUEST),
        (body() + b"\r\n", DenialReason.FORM, OAuthError.INVALID_REQUEST),
    ],
)
def test_what_has_no_one_reading_is_refused(
    data: bytes, why: DenialReason, error: OAuthError
) -> None:
    assert refused(why, data).error is error


def test_a_semicolon_parts_nothing() -> None:
    assert read(body() + b";x=1").audience == "https://u.example;x=1"


@pytest.mark.parametrize("name", [*EXCHANGE, "scope", "x"])
def test_a_parameter_that_comes_twice_is_refused(name: str) -> None:
    once = body(scope="a", x="1")
    for spelled in (name, quote(name), f"%{ord(name[0]):02x}{name[1:]}"):
        twice = once + f"&{spelled}=1".encode()
        assert refused(DenialReason.DUPLICATE_PARAMETER, twice)
        # An empty one is a second one, too.
        assert refused(DenialReason.DUPLICATE_PARAMETER, once + f"&{spelled}=".encode())


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
        refused(DenialReason.TARGET, body(audience=..., resource=resource))


def test_the_caps_hold_to_the_byte_and_cost_little(counted: list[str]) -> None:
    token = "a" * 16_384
    assert read(body(subject_token=token)).unverified_subject == token
    refused(DenialReason.SIZE, body(subject_token=token + "a"))
    refused(DenialReason.SIZE, body(BEARER, assertion=token + "a"))
    full = body() + b"&x=" + b"a" * (MAX_BODY - len(body()) - 3)
    assert len(full) == MAX_BODY
    assert read(full)
    many = body() + b"".join(b"&%d=1" % n for n in range(MAX_PARAMETERS - 4))
    assert read(many)
    refused(DenialReason.SIZE, many + b"&y=1")
    for data in (
        full + b"a",
        b"&" * MAX_BODY,
        b"a=1&" * (MAX_BODY // 4),
        b"x=" + b"%41" * (MAX_BODY // 3 - 1) + b"&",
        b"x=" + b"+" * (MAX_BODY - 3) + b"%",
    ):
        started = time.process_time()
        assert isinstance(parse_token_request(data), TokenRequestRefusal)
        counted.append("refused")
        # 5 ms is the target; a busy machine gets some more.
        assert time.process_time() - started < 0.05


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
    assert isinstance(parse_token_request(data), TokenRequest | TokenRequestRefusal)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_refusal_repeats_what_was_sent(name: str, value: str) -> None:
    found = parse_token_request(
        urlencode({"grant_type": "s3cret" + value, name: "x"}).encode()
    )
    assert isinstance(found, TokenRequestRefusal)
    assert "s3cret" not in repr(found)

"""Tokens of people for the API: verified, for our audience, and no agent's."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from answerable.federation.strict_json import encode_base64url
from answerable.model.config import IssuerConfig
from answerable.model.documents.shared_shapes import Document
from answerable.model.token_claims import TokenType, TrustedIssuer
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.web.auth.bearer_tokens import BearerTokenVerifier
from answerable.web.routing import (
    DocumentAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission, WebRole
from tests.federation.sample_tokens import EC, document, public, sign
from tests.sts.login.fake_provider import UNVERIFIED
from tests.web.auth.conftest import LOGIN
from tests.web.dispatcher_harness import FORM, DispatcherHarness

ISS, API = "https://idp.example", "https://answerable.example/api"
AT = "/api/v1/who"
TYPES = (TokenType.ACCESS_TOKEN, TokenType.ID_TOKEN)


def who(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    item = {"person": visit.person, "roles": sorted(visit.roles), "by": visit.by}
    return DocumentAnswer(Document("who", [item], build_empty_coverage()))


ROUTES = (
    WebRoute(AT, who),
    WebRoute("/look", who),
    WebRoute(
        "/api/v1/act",
        lambda d, v, a: Redirect("/"),
        frozenset({WebPermission.LOOK}),
        (),
        "POST",
    ),
)


@pytest.fixture
def stage(desk: StoreCache, tmp_path: Path) -> DispatcherHarness:
    (tmp_path / "jwks.json").write_bytes(document(public(EC, kid="k1")))
    pin = TrustedIssuer("corp", ISS, ("ES256",), TYPES, 3600)
    keys = str(tmp_path / "jwks.json")
    pinned = IssuerConfig(pin, "cli", keys, bearer=True, person="email")
    stage = DispatcherHarness(desk, ROUTES, ())
    stage.clock.now = time.time()
    stage.signed.bearers = BearerTokenVerifier(pinned, LOGIN, API, stage.clock)
    return stage


def token(head: dict[str, Any] | None = None, key: Any = EC, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": ISS,
        "sub": "account-1",
        "aud": API,
        "exp": now + 300,
        "iat": now,
        "jti": "j1",
        "client_id": "a-script",
        "email": "ana@example.com",
        "email_verified": True,
        "groups": ["security"],
        **changes,
    }
    said = {"alg": "ES256", "kid": "k1", "typ": "at+jwt", **(head or {})}
    left = {name: value for name, value in claims.items() if value is not ...}
    return sign(said, left, key)


def ask(stage: DispatcherHarness, shown: str, target: str = AT, **more: Any) -> Any:
    return stage.get(target, headers={"authorization": shown}, **more)


def test_a_person_is_who_their_token_says(stage: DispatcherHarness) -> None:
    told = ask(stage, f"Bearer {token()}")
    assert told.status == 200
    assert told.json["items"] == [
        {
            "person": "person:ana@example.com",
            "roles": ["admin", "investigator"],
            "by": f"{ISS}#account-1",
        }
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "cli"},
        {"aud": "answerable"},
        {"aud": [API, "other"]},
        {"iss": "https://other.example"},
        {"exp": 1},
        {"head": {"typ": "JWT"}},  # an ID token
        {"head": {"alg": "none"}},
        {"head": {"kid": "k2"}},
    ],
)
def test_a_token_that_does_not_hold_is_refused(
    stage: DispatcherHarness, changes: dict[str, Any]
) -> None:
    told = ask(stage, f"Bearer {token(**changes)}")
    assert told.status == 401
    assert told.fields["www-authenticate"].startswith("Bearer")
    assert told.fields["content-type"] == "application/problem+json"
    assert "idp.example" not in told.text


@pytest.mark.parametrize(
    "changes",
    [
        {"email": ...},  # a client of its own
        *({"email_verified": value} for value in UNVERIFIED),
        {"email": "\u212aim@example.com"},
        {"groups": ["other"]},
        {"act": {"sub": "agent:declared/bot"}},  # an agent that acts for a person
        {"act": "x"},
    ],
)
def test_a_token_of_nobody_here_is_refused(
    stage: DispatcherHarness, changes: dict[str, Any]
) -> None:
    assert ask(stage, f"Bearer {token(**changes)}").status in (401, 403)


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer ", "Basic YTpi", "x", "Bearer a.b.c"]
)
def test_what_is_no_token_is_refused_whatever_cookie_comes_with_it(
    stage: DispatcherHarness, shown: str
) -> None:
    cookie, _ = stage.signed_in(WebRole.ADMIN)
    assert ask(stage, shown, cookie=cookie).status == 401


def test_a_token_that_is_bound_to_a_key_needs_its_proof(
    stage: DispatcherHarness,
) -> None:
    bound = token(cnf={"jkt": encode_base64url(b"x" * 32)})
    assert ask(stage, f"Bearer {bound}").status == 401
    assert ask(stage, f"DPoP {bound}").status == 401


def test_an_unbound_token_is_taken_where_its_issuer_is_said_to_give_such(
    stage: DispatcherHarness,
) -> None:
    bearers = stage.signed.bearers
    assert bearers is not None
    stage.signed.bearers = BearerTokenVerifier(
        replace(bearers._issuer, bearer=False), LOGIN, API, stage.clock
    )
    assert ask(stage, f"Bearer {token()}").status == 401


def test_pages_take_no_token(stage: DispatcherHarness) -> None:
    assert ask(stage, f"Bearer {token()}", "/look").status == 401


def test_with_a_token_nothing_else_is_asked_for(stage: DispatcherHarness) -> None:
    fields = {"authorization": f"Bearer {token()}", "content-type": FORM}
    assert stage.ask("POST", "/api/v1/act", fields).status == 303


def test_with_a_session_the_api_is_read_and_needs_its_token_to_act(
    stage: DispatcherHarness,
) -> None:
    cookie, session = stage.signed_in(WebRole.VIEWER)
    assert stage.get(AT, cookie=cookie).status == 200
    assert stage.post("/api/v1/act", {}, cookie).status == 403
    fields = {"x-csrf-token": session.csrf_token()}
    assert stage.post("/api/v1/act", {}, cookie, headers=fields).status == 303


def test_without_either_one_is_told_to_sign_in(stage: DispatcherHarness) -> None:
    told = stage.get(AT)
    assert told.status == 401
    assert told.json["status"] == 401
    assert told.json["hint"]


def test_where_no_audience_is_said_no_token_is_taken(stage: DispatcherHarness) -> None:
    stage.signed.bearers = None
    assert ask(stage, f"Bearer {token()}").status == 401


def test_a_key_that_the_issuer_never_showed_signs_nothing(
    stage: DispatcherHarness,
) -> None:
    other = ECKey.generate_key("P-256")
    assert ask(stage, f"Bearer {token(key=other)}").status == 401

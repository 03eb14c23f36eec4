"""TokenReview: an API server over TLS says whether a token is still good."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.model.config import TokenReviewConfig
from answerable.model.errors import EnvironmentFailure
from answerable.server.issuers.allowed_addresses import FetchFailed
from answerable.server.issuers.token_review import (
    TokenReviewer,
    TokenReviewResult,
    parse_token_review,
)
from tests.server.authentication.https_issuer import Issuer, certificate

AUD = "https://sts.corp.example"
NAME = "system:serviceaccount:ci:deployer"
POD = "authentication.kubernetes.io/pod-name"


def answer(**status: Any) -> bytes:
    good = {
        "authenticated": True,
        "audiences": [AUD],
        "user": {"username": NAME, "uid": "u-1", "extra": {POD: ["deployer-0"]}},
    }
    said = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "metadata": {},
        "spec": {"token": "..."},
        "status": good | status,
    }
    return json.dumps(said).encode()


def story(
    folder: Path, told: Callable[[Issuer, TokenReviewer], Awaitable[None]]
) -> list[bytes]:
    served = Issuer(certificate(folder))
    token = folder / "token"
    token.write_text("asking.credential\n")

    async def whole() -> None:
        async with served.serving():
            url = served.url.removesuffix("/jwks.json")
            await told(
                served,
                TokenReviewer(TokenReviewConfig(url, str(served.pem), str(token))),
            )

    asyncio.run(whole())
    return served.asked


def test_a_good_token_has_a_user(tmp_path: Path) -> None:
    async def told(served: Issuer, reviewer: TokenReviewer) -> None:
        served.says(answer(), status="201 Created")
        said = await reviewer.review_token("shown.to.us", AUD)
        assert said == TokenReviewResult(True, NAME, "u-1", ((POD, ("deployer-0",)),))

    (asked,) = story(tmp_path, told)
    head, _, body = asked.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /apis/authentication.k8s.io/v1/tokenreviews HTTP/1.1")
    assert b"Authorization: Bearer asking.credential\r\n" in head
    assert json.loads(body) == {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": "shown.to.us", "audiences": [AUD]},
    }


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"authenticated": False}, "not-authenticated"),
        ({"error": "the pod is gone"}, "not-authenticated"),
        ({"audiences": []}, "audience"),
        ({"audiences": ["https://kubernetes.default.svc"]}, "audience"),
        ({"audiences": [AUD + "/"]}, "audience"),
        ({"user": {}}, "no-user"),
    ],
)
def test_any_other_token_is_not_good(status: dict[str, object], why: str) -> None:
    assert parse_token_review(answer(**status), AUD) == TokenReviewResult(
        good=False, why=why
    )


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"kind": "Status", "apiVersion": "v1", "status": {}}',
        answer(authenticated="true"),
        answer(audiences=AUD),
        answer().replace(b"TokenReview", b"TokenRequest"),
        answer().replace(b"k8s.io/v1", b"k8s.io/v1beta1"),
    ],
)
def test_what_is_no_review_says_nothing(document: bytes) -> None:
    with pytest.raises(FetchFailed, match="not a TokenReview"):
        parse_token_review(document, AUD)


@pytest.mark.parametrize(
    "status", ["403 Forbidden", "500 Internal Server Error", "302 Found"]
)
def test_an_api_server_that_does_not_say_is_no_yes(tmp_path: Path, status: str) -> None:
    async def told(served: Issuer, reviewer: TokenReviewer) -> None:
        served.says(answer(), "Location: https://x.example/", status=status)
        with pytest.raises(FetchFailed, match=status[:3]):
            await reviewer.review_token("shown.to.us", AUD)

    story(tmp_path, told)


def test_the_token_that_asks_is_read_each_time_and_never_shown(tmp_path: Path) -> None:
    async def told(served: Issuer, reviewer: TokenReviewer) -> None:
        served.says(answer(), status="201 Created")
        (tmp_path / "token").write_text("another.credential")
        assert (await reviewer.review_token("t", AUD)).good
        (tmp_path / "token").write_text("canary\r\nX-Other: y")
        with pytest.raises(FetchFailed) as unfetched:
            await reviewer.review_token("t", AUD)
        assert "canary" not in unfetched.value.message

    (asked,) = story(tmp_path, told)
    assert b"another.credential" in asked


def test_an_authority_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    for _ in range(2):
        with pytest.raises(EnvironmentFailure, match=r"ca\.pem"):
            TokenReviewer(TokenReviewConfig("https://127.0.0.1", str(empty), "token"))
        empty.write_text("no certificate")

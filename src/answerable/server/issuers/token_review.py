"""Ask the Kubernetes API server whether a token is valid now (TokenReview).

Its keys also verify a token that outlived its pod; the API server knows that the pod is
gone.

Source: Kubernetes API reference, TokenReview v1 authentication.k8s.io.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from answerable.model.config import TokenReviewConfig
from answerable.model.errors import EnvironmentFailure
from answerable.server.issuers.allowed_addresses import FetchFailed
from answerable.server.issuers.http_fetch import FetchLocation, send_https_request
from answerable.server.tls import build_client_context
from answerable.store.durable_files import read_file

MAX_ANSWER = 256 * 1024  # bytes
_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_MAX_TOKEN = 16 * 1024  # bytes of our own token for the API server
_STATUSES = (201, 200)


@dataclass(frozen=True, slots=True)
class TokenReviewResult:
    """Result of a TokenReview.

    Attributes:
        good: The token is valid now, for our audience.
        username: E.g. `system:serviceaccount:NAMESPACE:NAME`; empty where it is
            invalid.
        uid: Uid of the service account; empty where it is invalid.
        extra: Further facts about the user, e.g. the pod: pairs (name, values).
        why: Reason that it is invalid: a word of ours.
    """

    good: bool
    username: str = ""
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()
    why: str = ""


class _ReviewedUser(msgspec.Struct):
    username: str = ""
    uid: str = ""
    extra: dict[str, list[str]] = {}


class _ReviewStatus(msgspec.Struct):
    authenticated: bool = False
    audiences: list[str] = []
    error: str = ""
    user: _ReviewedUser = msgspec.field(default_factory=_ReviewedUser)


class _ReviewAnswer(msgspec.Struct):
    kind: str
    api_version: str = msgspec.field(name="apiVersion")
    status: _ReviewStatus


_review_decoder = msgspec.json.Decoder(_ReviewAnswer, strict=True)


class TokenReviewer:
    """Client of one API server.

    Args:
        review: Its URL, and the file of our own token.

    Raises:
        EnvironmentFailure: The file of its certificate authority cannot be used.
    """

    def __init__(self, review: TokenReviewConfig) -> None:
        self._token = Path(review.token)
        try:
            tls = build_client_context(review.ca)
        except OSError as error:  # an SSLError is one
            raise EnvironmentFailure(
                f"cannot use {review.ca} ({error.strerror or 'no certificate'})",
                "set `ca` to the CA of the API server's certificate",
            ) from None
        # The operator configured the address: no issuer can choose it.
        self._place = FetchLocation(review.url.rstrip("/") + _PATH, tls, private=True)

    async def review_token(
        self, unverified_token: str, audience: str
    ) -> TokenReviewResult:
        """Ask the API server whether a token is valid for an audience.

        Args:
            unverified_token: Token to check; the API server issued it.
            audience: Audience that it must be for.

        Raises:
            Unfetched: The API server does not answer; the caller refuses the token for
                now.
        """
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": unverified_token, "audiences": [audience]},
        }
        fields = (
            ("Authorization", f"Bearer {self._read_service_account_token()}"),
            ("Content-Type", "application/json"),
            ("Accept", "application/json"),
        )
        body = msgspec.json.encode(asked)
        answer = await send_https_request(
            self._place, MAX_ANSWER, "POST", fields, body, _STATUSES
        )
        return parse_token_review(answer.document, audience)

    def _read_service_account_token(self) -> str:
        """Read our own token; the kubelet replaces it before it expires."""
        try:
            text = read_file(self._token).decode("ascii").strip()
        except (FileNotFoundError, EnvironmentFailure, UnicodeDecodeError):
            text = ""
        if not text or len(text) > _MAX_TOKEN or not text.isprintable() or " " in text:
            raise FetchFailed(f"{self._token} contains no token for the API server")
        return text


def parse_token_review(document: bytes, audience: str) -> TokenReviewResult:
    """Parse a Kubernetes TokenReview response to the token's identity.

    Raises:
        Unfetched: It is no TokenReview.
    """
    try:
        answer = _review_decoder.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise FetchFailed("the response is not a TokenReview") from None
    if (answer.kind, answer.api_version) != ("TokenReview", "authentication.k8s.io/v1"):
        raise FetchFailed("the response is not a TokenReview")
    status = answer.status
    if not status.authenticated or status.error:
        return TokenReviewResult(good=False, why="not-authenticated")
    # An API server that knows no audiences leaves them out, and the token may be for
    # the API server alone.
    if audience not in status.audiences:
        return TokenReviewResult(good=False, why="audience")
    if not status.user.username:
        return TokenReviewResult(good=False, why="no-user")
    extra = tuple(
        (name, tuple(values)) for name, values in sorted(status.user.extra.items())
    )
    return TokenReviewResult(True, status.user.username, status.user.uid, extra)

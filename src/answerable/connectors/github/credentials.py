"""Credentials of a live scan: a token of the environment, or a GitHub App's key.

Source: https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
"""

import base64
import os
import time
from collections.abc import Callable
from http import HTTPStatus

import msgspec

from answerable.connectors.github.api_client import (
    ApiAnswer,
    CallFailed,
    GithubApiClient,
)
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import EnvironmentFailure, UsageError

TOKEN_VARIABLES = ("GH_TOKEN", "GITHUB_TOKEN")
# "The JSON Web Token expires after at most 10 minutes", with a clock that may differ.
_JWT_SECONDS, _CLOCK_SKEW = 540, 60
# An installation token expires after one hour.
_TOKEN_SECONDS = 3_300.0
_MAX_KEY_BYTES = 64 << 10


class _InstallationAnswer(msgspec.Struct):
    """Installation of the app in the organization."""

    id: int


class _InstallationTokenAnswer(msgspec.Struct):
    """Installation token."""

    token: str


def choose_credential(
    client: GithubApiClient, login: str, app: str, key: str
) -> Callable[[], str]:
    """Choose the credential of a scan.

    Args:
        client: Client of the API.
        login: Organization.
        app: Id or client id of a GitHub App; empty for a token.
        key: File with the private key of the app.

    Returns:
        A function for the header Authorization.

    Raises:
        UsageError: One of both options of an app is missing.
        EnvironmentFailure: There is no credential, or it cannot be used.
    """
    if bool(app) != bool(key):
        raise UsageError(
            "an app needs its id and its private key (expected app=ID,key=FILE)",
            "create a key on the page of the app",
        )
    if app:
        return AppCredential(client, login, app, key)
    token = next((t for name in TOKEN_VARIABLES if (t := os.environ.get(name))), "")
    if not token or not token.isascii() or not token.isprintable():
        raise EnvironmentFailure(
            f"no path {login}, and no token to read the organization {login} of GitHub",
            "set GH_TOKEN, or name an app: app=ID,key=FILE (docs/github.md)",
        )
    return lambda: f"Bearer {token}"


class AppCredential:
    """Installation tokens of a GitHub App, renewed before they expire.

    Args:
        client: Client of the API.
        login: Organization with the installation.
        app: Id or client id of the app.
        key: File with its private key.
    """

    def __init__(self, client: GithubApiClient, login: str, app: str, key: str) -> None:
        self._client, self._login, self._app = client, login, app
        self._sign = load_app_signer(key)
        self._token, self._until = "", 0.0

    def __call__(self) -> str:
        """Return the value of the header Authorization."""
        now = time.monotonic()
        if not self._token or now >= self._until:
            self._token = self._create_token()
            self._until = now + _TOKEN_SECONDS
        return f"Bearer {self._token}"

    def _create_token(self) -> str:
        """Create an installation token.

        Raises:
            EnvironmentFailure: The app is not installed, or its key is refused.
        """
        proof = f"Bearer {build_app_jwt(self._app, self._sign, int(time.time()))}"
        base = self._client.base_path
        try:
            found = self._client.call(
                "GET", f"{base}/orgs/{self._login}/installation", b"", proof
            )
            if found.status == HTTPStatus.OK:
                number = msgspec.json.decode(found.body, type=_InstallationAnswer).id
                target = f"{base}/app/installations/{number}/access_tokens"
                made = self._client.call("POST", target, b"{}", proof)
                if made.status == HTTPStatus.CREATED:
                    return msgspec.json.decode(
                        made.body, type=_InstallationTokenAnswer
                    ).token
                found = made
            why = _describe_refusal(found, self._login)
        except CallFailed as failed:
            why = failed.what
        except msgspec.DecodeError:
            why = "the response has an unexpected format"
        raise EnvironmentFailure(
            f"no installation token for {self._login}: {why}",
            "install the app in the organization",
        )


def build_app_jwt(app: str, sign: Callable[[bytes], bytes], now: int) -> str:
    """Build the JSON Web Token that proves an app.

    Args:
        app: Id or client id of the app.
        sign: Signs with the private key of the app.
        now: Seconds since the epoch.
    """
    claims = {"iat": now - _CLOCK_SKEW, "exp": now + _JWT_SECONDS, "iss": app}
    head = {"alg": "RS256", "typ": "JWT"}
    text = ".".join(
        _encode_base64url(msgspec.json.encode(each)) for each in (head, claims)
    )
    return f"{text}.{_encode_base64url(sign(text.encode()))}"


def _describe_refusal(answer: ApiAnswer, login: str) -> str:
    """Describe why GitHub gives no token."""
    if answer.status == HTTPStatus.NOT_FOUND:
        return f"the app has no installation in {login}"
    return f"HTTP status {answer.status}"


def _encode_base64url(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def load_app_signer(path: str) -> Callable[[bytes], bytes]:
    """Load the private key of an app.

    Raises:
        EnvironmentFailure: The file is not readable, or holds no RSA key.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    why = "the file contains no RSA private key in PEM format"
    try:
        with expand_user_path(path).open("rb") as file:
            key = load_pem_private_key(file.read(_MAX_KEY_BYTES), None)
        if isinstance(key, rsa.RSAPrivateKey):
            scheme, digest = padding.PKCS1v15(), hashes.SHA256()
            return lambda data: key.sign(data, scheme, digest)
    except OSError as error:
        why = error.strerror or "cannot be read"
    except (ValueError, TypeError):
        pass  # Its message may quote the file.
    raise EnvironmentFailure(
        f"{path}: {why}", "download the key from the page of the app"
    )

"""Open read-only clients of Google Cloud by the official libraries.

Calls go over REST. Throttling and outages are waited out; a refused call becomes a
`GoogleCallFailed` that quotes no text of the server.

Source: https://docs.cloud.google.com/docs/authentication/application-default-credentials,
https://docs.cloud.google.com/apis/design/errors
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

import google.auth
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.cloud import asset_v1, iam_v2, iam_v3
from google.protobuf.json_format import Error as MessageError
from google.protobuf.json_format import MessageToDict
from requests import RequestException, Response

from answerable.connectors.formats.google_api_responses import RawObject
from answerable.model.errors import EnvironmentFailure
from answerable.model.sighting import ReadProblemKind

ResultT = TypeVar("ResultT")
_SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform.read-only",
    "https://www.googleapis.com/auth/cloud-identity.groups.readonly",
)
TIMEOUT = 60.0  # seconds for one call
THROTTLE_LIMIT = 300.0  # seconds that a call is repeated
_OVERRIDE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"  # as gcloud reads it
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
_REPEATED = (
    exceptions.TooManyRequests,
    exceptions.ServiceUnavailable,
    exceptions.BadGateway,
    exceptions.GatewayTimeout,
)


class GoogleCallFailed(Exception):  # noqa: N818 - handled by the scan
    """Call without a usable answer."""

    def __init__(self, kind: ReadProblemKind, what: str) -> None:
        super().__init__(what)
        self.kind, self.what = kind, what


@dataclass(frozen=True, slots=True)
class GoogleClients:
    """Clients that share one credential.

    Attributes:
        session: HTTP session for APIs without a client library.
        project: Project of the credential; empty if it names none.
    """

    assets: Any
    deny_policies: Any
    boundaries: Any
    session: Any
    project: str

    def call(self, method: Callable[..., ResultT], request: RawObject) -> ResultT:
        """Call a method of a client.

        Raises:
            GoogleCallFailed: It was refused, or did not answer.
            EnvironmentFailure: The credential is refused.
        """
        with _translate_errors():
            return method(request=request, retry=_build_retry(), timeout=TIMEOUT)

    def iterate(
        self, method: Callable[..., Any], request: RawObject, field: str
    ) -> Iterator[RawObject]:
        """Yield the items of all pages of a list.

        Args:
            field: Field of a page that holds the items.

        Raises:
            GoogleCallFailed: As `call`.
        """
        pages = iter(self.call(method, request).pages)
        while True:
            with _translate_errors():
                page = next(pages, None)
            if page is None:
                return
            for each in getattr(type(page).pb(page), field):
                yield MessageToDict(each)

    def get_json(self, service: str, path: str, query: dict[str, str]) -> RawObject:
        """GET a resource of an API without a client library.

        Raises:
            GoogleCallFailed: As `call`.
        """
        return self._send_with_retries(
            lambda url: self.session.get(url, params=query, timeout=TIMEOUT),
            service,
            path,
        )

    def post_json(self, service: str, path: str, body: RawObject) -> RawObject:
        """POST to a method that only reads, such as `:getIamPolicy`.

        Raises:
            GoogleCallFailed: As `call`.
        """
        return self._send_with_retries(
            lambda url: self.session.post(url, json=body, timeout=TIMEOUT),
            service,
            path,
        )

    @staticmethod
    def to_object(message: Any) -> RawObject:
        """Return a message of a client as a JSON object."""
        found: RawObject = MessageToDict(type(message).pb(message))
        return found

    @staticmethod
    def _send_with_retries(
        send: Callable[[str], Response], service: str, path: str
    ) -> RawObject:
        """Send a request, and repeat it while the server throttles."""
        url = f"{_find_endpoint(service)}/{path}"

        def send_once() -> object:
            answer = send(url)
            if answer.status_code != HTTPStatus.OK:
                raise exceptions.from_http_response(answer)
            return answer.json()

        with _translate_errors():
            found = _build_retry()(send_once)()
        if not isinstance(found, dict):
            raise GoogleCallFailed(
                ReadProblemKind.INVALID, "the response is not a JSON object"
            )
        return found


def open_clients() -> GoogleClients:
    """Open clients with the application default credentials.

    Raises:
        EnvironmentFailure: There are none, or they are refused.
    """
    try:
        credentials, project = google.auth.default(scopes=_SCOPES)
    except (DefaultCredentialsError, OSError, ValueError):
        raise EnvironmentFailure(
            "no application default credentials of Google Cloud",
            "sign in: gcloud auth application-default login, or set "
            "GOOGLE_APPLICATION_CREDENTIALS; files need none: answerable scan gcp:DIR",
        ) from None

    def open_client(kind: Any, service: str) -> Any:
        options = ClientOptions(api_endpoint=_find_endpoint(service))
        return kind(credentials=credentials, transport="rest", client_options=options)

    return GoogleClients(
        open_client(asset_v1.AssetServiceClient, "cloudasset"),
        open_client(iam_v2.PoliciesClient, "iam"),
        open_client(iam_v3.PrincipalAccessBoundaryPoliciesClient, "iam"),
        AuthorizedSession(credentials),
        project or "",
    )


def _find_endpoint(service: str) -> str:
    """Return the URL of a service, with the override that gcloud has for it.

    Raises:
        EnvironmentFailure: The override would send the credential in plain text.
    """
    name = f"{_OVERRIDE}{service.rpartition('-')[2].upper()}"  # without a region
    url = os.environ.get(name, "").rstrip("/")
    if not url:
        return f"https://{service}.googleapis.com"
    try:
        parts = urlsplit(url)
        safe = parts.scheme == "https" and bool(parts.hostname)
        safe = safe or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        safe = False
    if not safe:
        raise EnvironmentFailure(
            f"{name} is not an https URL", "state https://HOST, or unset the variable"
        )
    return url


def _build_retry() -> Retry:
    """Build the policy of repeated calls."""
    return Retry(
        predicate=lambda error: isinstance(error, _REPEATED),
        initial=0.5,
        maximum=30.0,
        timeout=THROTTLE_LIMIT,
    )


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate errors of the libraries; their messages may quote the request."""
    failed: GoogleCallFailed | None = None
    refused = False
    try:
        yield
    except exceptions.Unauthorized:
        refused = True
    except exceptions.GoogleAPICallError as error:
        failed = _describe_refused_call(error)
    except exceptions.RetryError:
        failed = GoogleCallFailed(ReadProblemKind.NETWORK, "throttled for too long")
    except GoogleAuthError:
        refused = True
    except (RequestException, OSError) as error:
        what = f"no response ({type(error).__name__})"
        failed = GoogleCallFailed(ReadProblemKind.NETWORK, what)
    except (MessageError, ValueError, TypeError):
        failed = GoogleCallFailed(ReadProblemKind.INVALID, "not a response of the API")
    if refused:
        raise EnvironmentFailure(
            "Google Cloud refused the application default credentials",
            "sign in again: gcloud auth application-default login",
        )
    if failed is not None:
        raise failed


def _describe_refused_call(error: exceptions.GoogleAPICallError) -> GoogleCallFailed:
    """Describe a refused call by its status and reason."""
    status = int(error.code or 0)
    reason = str(error.reason or "")
    if reason == "SERVICE_DISABLED":
        what = "the API is not enabled in the project of the credential"
        return GoogleCallFailed(ReadProblemKind.PERMISSION, what)
    if status == HTTPStatus.FORBIDDEN:
        return GoogleCallFailed(ReadProblemKind.PERMISSION, "forbidden")
    if status == HTTPStatus.NOT_FOUND:
        return GoogleCallFailed(ReadProblemKind.NETWORK, "not found")
    known = f", {reason}" if _REASON.fullmatch(reason) else ""
    return GoogleCallFailed(ReadProblemKind.NETWORK, f"HTTP status {status}{known}")

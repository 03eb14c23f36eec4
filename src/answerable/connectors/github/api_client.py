"""HTTP client of the GitHub API: read-only calls, rate limits, bounds.

The client never follows a redirect, so that a token reaches no other host, and writes no
header or body into a message.

Source: https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.sighting import ReadProblemKind

PUBLIC_API = "https://api.github.com"
API_VERSION = "2022-11-28"
TIMEOUT = 60.0  # seconds between two reads
MAX_ANSWER_BYTES = 64 << 20
MAX_BYTES = 1 << 30  # of all answers of a scan
# "wait for at least one minute before retrying", then "an exponentially increasing
# amount of time".
SECONDARY_WAIT = 60.0
SECONDARY_RETRIES = 5
# A primary limit is of one hour.
LONGEST_WAIT = 3_900.0
PRIMARY_RETRIES = 5
SERVER_RETRIES = 3
_PROGRESS_SECONDS = 1.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_THROTTLED = (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)
_ERROR_BYTES = 2_000
_SECONDARY_TEXT = b"secondary rate limit"


class CallFailed(Exception):  # noqa: N818 - a result, handled by the scan
    """Call without a usable answer."""

    def __init__(self, kind: ReadProblemKind, what: str) -> None:
        super().__init__(what)
        self.kind, self.what = kind, what


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """Answer of one call; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def parse_api_url(text: str) -> SplitResult:
    """Parse the address of an API; plain HTTP only on this machine.

    Raises:
        UsageError: It is none.
    """
    try:
        parts = urlsplit(text or PUBLIC_API)
        local = parts.scheme == "http" and parts.hostname in _LOOPBACK
        valid = bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        valid = local = False
        parts = urlsplit("")
    if not valid or not (local or parts.scheme == "https"):
        raise UsageError(
            f"api= is not the URL of an API (got {text[:80]!r}, expected https://HOST/...)",
            "GitHub Enterprise Server: api=https://HOST/api/v3",
        )
    return parts


class GithubApiClient:
    """Client of one API, with one connection that is kept open.

    Args:
        api: Address of the API.
        progress: Gets a line while a limit is waited out.

    Attributes:
        authorize: Returns the value of the header Authorization.
    """

    def __init__(
        self, api: SplitResult, progress: Callable[[int, int, str], None]
    ) -> None:
        self._api = api
        self._progress = progress
        self._connection: http.client.HTTPConnection | None = None
        self._left = MAX_BYTES
        self.authorize: Callable[[], str] = lambda: ""

    @property
    def base_path(self) -> str:
        """Path of the REST API."""
        return self._api.path.rstrip("/")

    @property
    def graphql_path(self) -> str:
        """Path of the GraphQL API."""
        return f"{self.base_path.removesuffix('/v3')}/graphql"

    def get(self, target: str) -> ApiAnswer:
        """Make a GET call, and wait while the API throttles.

        Args:
            target: Path and query below the address of the API.

        Raises:
            CallFailed: No answer came, it is too large, or throttling does not end.
            EnvironmentFailure: The credential is refused.
        """
        return self.call("GET", f"{self.base_path}/{target}")

    def get_next(self, link: str) -> ApiAnswer:
        """Get the page that the header Link names.

        Raises:
            CallFailed: It is on another host.
        """
        parts = urlsplit(link)
        if (parts.scheme, parts.netloc) != (self._api.scheme, self._api.netloc):
            what = "the next page is on another host"
            raise CallFailed(ReadProblemKind.INVALID, what)
        return self.call("GET", f"{parts.path}?{parts.query}")

    def call(
        self, method: str, target: str, body: bytes = b"", authorization: str = ""
    ) -> ApiAnswer:
        """Make a call; see `get`."""
        secondary = primary = server = 0
        while True:
            answer = self._call_once(method, target, body, authorization)
            if answer is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                if server == SERVER_RETRIES:
                    what = f"HTTP status {answer.status}" if answer else "no response"
                    raise CallFailed(ReadProblemKind.NETWORK, what)
                time.sleep(2.0**server)
                server += 1
                continue
            if answer.status == HTTPStatus.UNAUTHORIZED:
                raise EnvironmentFailure(
                    "GitHub refused the credential (401)",
                    "set GH_TOKEN to a token that is valid, or app=ID,key=FILE",
                )
            wait, is_primary = find_wait(answer, secondary, time.time())
            if wait is None:
                return answer
            primary, secondary = primary + is_primary, secondary + (not is_primary)
            if primary > PRIMARY_RETRIES or secondary > SECONDARY_RETRIES:
                raise CallFailed(
                    ReadProblemKind.NETWORK, "GitHub throttled the request for too long"
                )
            self._wait_with_progress(
                wait, "rate limit" if is_primary else "secondary rate limit"
            )

    def _wait_with_progress(self, seconds: float, what: str) -> None:
        """Wait, with the rest of the time in the progress."""
        left = min(max(seconds, 1.0), LONGEST_WAIT)
        while left > 0:
            self._progress(0, 0, f"waiting {left:,.0f} s for GitHub's {what}")
            step = min(left, _PROGRESS_SECONDS)
            time.sleep(step)
            left -= step

    def _call_once(
        self, method: str, target: str, body: bytes, authorization: str
    ) -> ApiAnswer | None:
        """Make one call; None if the connection failed."""
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": authorization or self.authorize(),
            "User-Agent": "answerable",
            "X-GitHub-Api-Version": API_VERSION,
        }
        connection = self._connection or self._open_connection()
        self._connection = connection
        try:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            limit = min(MAX_ANSWER_BYTES, self._left)
            data = response.read(limit + 1)
            if len(data) <= limit and response.length:
                raise http.client.IncompleteRead(data)
        except (OSError, http.client.HTTPException):
            # Its message may quote a header, and a failed connection is not reused.
            self.close()
            return None
        if response.will_close or len(data) > limit:
            self.close()
        self._left -= len(data)
        if len(data) > limit:
            what = f"the response is larger than {limit >> 20} MiB"
            raise CallFailed(ReadProblemKind.TOO_LARGE, what)
        named = {name.lower(): value for name, value in response.getheaders()}
        return ApiAnswer(response.status, named, data)

    def _open_connection(self) -> http.client.HTTPConnection:
        """Open a connection, through the proxy that the environment names."""
        host = self._api.hostname or ""
        proxies = {} if proxy_bypass(host) else getproxies()
        proxy = urlsplit(proxies.get(self._api.scheme, ""))
        kind = http.client.HTTPSConnection
        if self._api.scheme == "http":
            return http.client.HTTPConnection(host, self._api.port, timeout=TIMEOUT)
        if not proxy.hostname:
            return kind(host, self._api.port, timeout=TIMEOUT)
        connection = kind(proxy.hostname, proxy.port, timeout=TIMEOUT)
        connection.set_tunnel(host, self._api.port)
        return connection

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def find_wait(answer: ApiAnswer, retries: int, now: float) -> tuple[float | None, bool]:
    """Find the seconds to wait after an answer, and whether the limit is the primary.

    Args:
        retries: Number of waits for the secondary limit so far.
        now: UTC seconds.

    Returns:
        None for an answer that is not throttled.
    """
    # GraphQL answers 200 with an error.
    # Source: https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
    failed = answer.status == HTTPStatus.OK and _is_query_throttled(answer)
    if answer.status not in _THROTTLED and not failed:
        return None, False
    after = answer.headers.get("retry-after", "")
    if after.isdigit():
        return float(after), False
    reset = answer.headers.get("x-ratelimit-reset", "")
    if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return float(reset) - now + 1.0, True
    throttled = failed or answer.status == HTTPStatus.TOO_MANY_REQUESTS
    if throttled or _SECONDARY_TEXT in answer.body.lower():
        return SECONDARY_WAIT * 2.0**retries, False
    return None, False


def _is_query_throttled(answer: ApiAnswer) -> bool:
    """Return whether a GraphQL answer is the error of a rate limit."""
    head = answer.body[:_ERROR_BYTES].lower()
    return b'"errors"' in head and b"rate limit" in head

"""Make the API calls of a live resource scan, and keep responses as a response file.

Only the fields that are read are kept of a reply: a function's environment never is. A
refused call is recorded in place of its answer, and the scan continues.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from answerable.connectors.aws_errors import error_code, raise_if_expired
from answerable.connectors.formats.aws_api_responses import ACCESS_DENIED_CODES
from answerable.model.connector import SyncContext
from answerable.model.sighting import ReadProblemKind

ResourceReply = Mapping[str, object]
AnswerDocument = dict[str, object]

PAGE_LIMIT = 100_000
# After so many failed connections in a row, a service is not called any more.
_FAILING_PAGINATION = 5


class ResourceClient(Protocol):
    """boto3 client; its operations are generated from the service model."""

    def get_paginator(self, operation: str) -> "ResourcePaginator":
        """Return the boto3 paginator of an API operation."""


class ResourcePaginator(Protocol):
    """Subset of a boto3 paginator."""

    def paginate(self, **arguments: object) -> Iterator[ResourceReply]:
        """Yield replies; the same marker twice raises."""


class ClientFactory(Protocol):
    """Factory of clients."""

    def client(self, service: str) -> ResourceClient:
        """Create the boto3 client of an AWS service."""


@dataclass(slots=True)
class ResourceScan:
    """State of a running live scan of one region.

    Attributes:
        session: Client factory.
        account: Scanned account.
        region: Region of the regional services.
        context: Context of the scan.
        document: Answer document so far.
        failures: Failed list calls: kind, action and text, with counts.
        done: Number of queried resources so far.
        incomplete_lists: Whether a list failed after its first page.
    """

    session: ClientFactory
    account: str
    region: str
    context: SyncContext
    document: AnswerDocument = field(default_factory=dict)
    failures: dict[tuple[ReadProblemKind, str, str], int] = field(default_factory=dict)
    done: int = 0
    incomplete_lists: bool = False
    _clients: dict[str, ResourceClient] = field(default_factory=dict)
    _unreached: dict[str, int] = field(default_factory=dict)

    def get_client(self, service: str) -> ResourceClient:
        """Return the client of a service, created on first use."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service)
        return self._clients[service]

    def iter_pages(
        self, service: str, operation: str, action: str, **arguments: object
    ) -> Iterator[ResourceReply]:
        """Yield the pages of a list; a failure ends it and becomes a problem."""
        count = 0
        try:
            pages = (
                self.get_client(service).get_paginator(operation).paginate(**arguments)
            )
            for page in pages:
                if count >= PAGE_LIMIT:
                    self.incomplete_lists = True
                    break
                count += 1
                yield page
        except (BotoCoreError, ClientError) as error:
            self.incomplete_lists |= count > 0
            self.record_failure(action, error)

    def record_failure(self, action: str, error: Exception) -> None:
        """Record a failed API call; equal failures are counted together."""
        raise_if_expired(error)
        if isinstance(error, EndpointConnectionError) and action.startswith("bedrock"):
            return  # a region where Bedrock is not offered has no such address
        code = error_code(error)
        if code in ACCESS_DENIED_CODES:
            key = (ReadProblemKind.PERMISSION, action, f"{action} is not allowed")
        else:
            key = (ReadProblemKind.NETWORK, action, f"{action} failed: {code}")
        self.failures[key] = self.failures.get(key, 0) + 1

    def call(
        self, service: str, operation: str, arguments: ResourceReply, *keep: str
    ) -> ResourceReply:
        """Call one operation; returns the error in place of a failed answer.

        Args:
            service: boto3 service name.
            operation: Client method.
            arguments: Call arguments.
            keep: Fields of the reply to keep.
        """
        if self._unreached.get(service, 0) >= _FAILING_PAGINATION:
            return {"Error": {"Code": "Unreached"}}
        try:
            reply: ResourceReply = getattr(self.get_client(service), operation)(
                **arguments
            )
        except ClientError as error:
            raise_if_expired(error)
            self._unreached[service] = 0
            return {"Error": {"Code": error_code(error)}}
        except BotoCoreError as error:
            self._unreached[service] = self._unreached.get(service, 0) + 1
            return {"Error": {"Code": error_code(error)}}
        self._unreached[service] = 0
        return {name: reply[name] for name in keep if name in reply}

    def add_answer(self, name: str, queried_id: str, reply: ResourceReply) -> None:
        """Add an answer under its queried id."""
        cast(AnswerDocument, self.document.setdefault(name, {}))[queried_id] = reply
        self.done += 1
        self.context.progress(self.done, 0, "responses about resources")

    def add_records(self, name: str, records: Sequence[object]) -> None:
        """Add the entries of a page to a list of the document."""
        cast(list[object], self.document.setdefault(name, [])).extend(records)

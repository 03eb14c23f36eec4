"""Calls of a live resource scan, with answers kept in the form of an answer file.

Only the fields that are read are kept of a reply: a function's environment never is. A
refused call is recorded in place of its answer, and the scan continues.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from answerable.connectors.aws_errors import code_of, stop_if_expired
from answerable.connectors.formats.aws_api_answers import DENIED
from answerable.model.connector import SyncContext
from answerable.model.sighting import ProblemKind

Reply = Mapping[str, object]
Whole = dict[str, object]

PAGE_LIMIT = 100_000
# After so many calls in a row that reached nobody, a service is not asked any more.
_DEAD = 5


class Client(Protocol):
    """boto3 client; its operations are generated from the service model."""

    def get_paginator(self, operation: str) -> "Paginator":
        """Return the paginator of an operation."""
        ...


class Paginator(Protocol):
    """Subset of a boto3 paginator."""

    def paginate(self, **arguments: object) -> Iterator[Reply]:
        """Yield replies; the same marker twice raises."""
        ...


class Session(Protocol):
    """Factory of clients."""

    def client(self, service: str) -> Client:
        """Create a client of a service."""
        ...


@dataclass(slots=True)
class Asking:
    """State of a running live scan of one region.

    Attributes:
        session: Client factory.
        account: Scanned account.
        region: Region of the regional services.
        context: Context of the scan.
        whole: Answer document so far.
        failures: Failed list calls: kind, action and text, with counts.
        done: Number of queried resources so far.
        broke_off: Whether a list failed after its first page.
    """

    session: Session
    account: str
    region: str
    context: SyncContext
    whole: Whole = field(default_factory=dict)
    failures: dict[tuple[ProblemKind, str, str], int] = field(default_factory=dict)
    done: int = 0
    broke_off: bool = False
    _clients: dict[str, Client] = field(default_factory=dict)
    _unreached: dict[str, int] = field(default_factory=dict)

    def client(self, service: str) -> Client:
        """Return the client of a service."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service)
        return self._clients[service]

    def pages(
        self, service: str, operation: str, action: str, **arguments: object
    ) -> Iterator[Reply]:
        """Yield the pages of a list; a failure ends it and becomes a problem."""
        count = 0
        try:
            pages = self.client(service).get_paginator(operation).paginate(**arguments)
            for page in pages:
                if count >= PAGE_LIMIT:
                    self.broke_off = True
                    break
                count += 1
                yield page
        except (BotoCoreError, ClientError) as error:
            self.broke_off |= count > 0
            self.failed(action, error)

    def failed(self, action: str, error: Exception) -> None:
        """Count a failed call by its kind."""
        stop_if_expired(error)
        if isinstance(error, EndpointConnectionError) and action.startswith("bedrock"):
            return  # a region where Bedrock is not offered has no such address
        code = code_of(error)
        if code in DENIED:
            key = (ProblemKind.PERMISSION, action, f"{action} is not allowed")
        else:
            key = (ProblemKind.NETWORK, action, f"{action} failed: {code}")
        self.failures[key] = self.failures.get(key, 0) + 1

    def ask(self, service: str, operation: str, arguments: Reply, *keep: str) -> Reply:
        """Call one operation; returns the error in place of a failed answer.

        Args:
            service: boto3 service name.
            operation: Client method.
            arguments: Call arguments.
            keep: Fields of the reply to keep.
        """
        if self._unreached.get(service, 0) >= _DEAD:
            return {"Error": {"Code": "Unreached"}}
        try:
            reply: Reply = getattr(self.client(service), operation)(**arguments)
        except ClientError as error:
            stop_if_expired(error)
            self._unreached[service] = 0
            return {"Error": {"Code": code_of(error)}}
        except BotoCoreError as error:
            self._unreached[service] = self._unreached.get(service, 0) + 1
            return {"Error": {"Code": code_of(error)}}
        self._unreached[service] = 0
        return {name: reply[name] for name in keep if name in reply}

    def answer(self, name: str, asked: str, reply: Reply) -> None:
        """Add an answer under its queried id."""
        cast(Whole, self.whole.setdefault(name, {}))[asked] = reply
        self.done += 1
        self.context.progress(self.done, 0, "answers about resources")

    def list(self, name: str, records: Sequence[object]) -> None:
        """Add the entries of a page to a list of the document."""
        cast(list[object], self.whole.setdefault(name, [])).extend(records)

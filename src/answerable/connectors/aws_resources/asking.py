"""One live scan while it runs: asks, and keeps what is answered as a file has it.

Of every reply only the fields that are read go on from here: the environment of a
function never does. A call that is refused stands in the place of its answer, and the
asking goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from answerable.connectors.aws_api import code_of, stop_if_expired
from answerable.connectors.formats.aws_answers import DENIED
from answerable.model.connector import SyncContext
from answerable.model.sighting import ProblemKind

Reply = Mapping[str, object]
Whole = dict[str, object]

PAGE_LIMIT = 100_000
# After so many calls in a row that reached nobody, a service is not asked any more.
_DEAD = 5


class Client(Protocol):
    """What a boto3 client offers; its operations are made from the service's model."""

    def get_paginator(self, operation: str) -> "Paginator":
        """Return what asks page after page."""
        ...


class Paginator(Protocol):
    """Asks page after page."""

    def paginate(self, **arguments: object) -> Iterator[Reply]:
        """Yield replies; the same marker twice raises."""
        ...


class Session(Protocol):
    """What makes clients."""

    def client(self, service: str) -> Client:
        """Make a client of a service."""
        ...


@dataclass(slots=True)
class Asking:
    """One live scan while it runs.

    Attributes:
        session: Makes clients.
        account: Who answers.
        region: Where regional services are asked.
        context: What the flow handed over.
        whole: The file so far.
        failures: Of calls that list: kind, action and text, with how often.
        done: Resources asked so far.
        broke_off: Whether a list ended in an error after it had begun.
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
        """Yield replies; one that fails ends them and becomes a problem."""
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
        """Count a call that failed by its kind."""
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
        """Ask one thing; the error where it is not answered.

        Args:
            service: As boto3 names it.
            operation: As a client's method.
            arguments: Of the call.
            keep: The fields of the reply that are read.
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
        """Put an answer under the id that was asked for."""
        cast(Whole, self.whole.setdefault(name, {}))[asked] = reply
        self.done += 1
        self.context.progress(self.done, 0, "answers about resources")

    def list(self, name: str, records: Sequence[object]) -> None:
        """Put the entries of a page into a list."""
        cast(list[object], self.whole.setdefault(name, [])).extend(records)

"""Paged, counted reading of AWS calls that belong to a whole organisation.

A call that is refused becomes a problem that names its permission, and leaves its word of
coverage open. This module needs boto3.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws_api import code_of, stop_if_expired
from answerable.connectors.aws_session import CONFIG
from answerable.connectors.formats.aws_answers import DENIED
from answerable.model.connector import SyncContext
from answerable.model.sighting import ProblemKind

Reply = Mapping[str, object]

# These services let few calls a second through: botocore paces itself.
PACED = CONFIG.merge(Config(retries={"mode": "adaptive", "max_attempts": 10}))
# Services whose permissions have another prefix than boto3 has.
_PREFIXES = {"sso-admin": "sso"}


class Paginator(Protocol):
    """Asks page after page."""

    def paginate(self, **arguments: object) -> Iterator[Reply]:
        """Yield replies; the same marker twice raises."""
        ...


class Client(Protocol):
    """A boto3 client; its operations are made from the service's model."""

    def get_paginator(self, operation: str) -> Paginator:
        """Return the paginator of an operation."""
        ...


@dataclass(slots=True)
class Reader:
    """One live reading.

    Attributes:
        clients: Of boto3, by service.
        context: Of the scan.
        whole: The file so far.
        failures: Of each action that failed: kind and text.
        incomplete: Words of coverage that a failed call leaves open.
        asked: Answers so far.
    """

    clients: Mapping[str, Client]
    context: SyncContext
    whole: dict[str, object] = field(default_factory=dict)
    failures: dict[str, tuple[ProblemKind, str]] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)
    asked: int = 0

    def pages(
        self, service: str, operation: str, word: str, **arguments: object
    ) -> Iterator[Reply]:
        """Yield the pages of a list; one that fails ends it and becomes a problem."""
        try:
            paginator = self.clients[service].get_paginator(operation)
            for page in paginator.paginate(**arguments):
                self._count()
                yield page
        except (BotoCoreError, ClientError) as error:
            self.failed(permission_of(service, operation), word, error)

    def ask(
        self, service: str, operation: str, word: str, **arguments: object
    ) -> Reply:
        """Return the answer to one call, empty where it failed."""
        try:
            reply = getattr(self.clients[service], operation)(**arguments)
        except (BotoCoreError, ClientError) as error:
            self.failed(permission_of(service, operation), word, error)
            return {}
        self._count()
        return {k: v for k, v in reply.items() if k != "ResponseMetadata"}

    def records(
        self, service: str, operation: str, name: str, word: str, **arguments: object
    ) -> list[Reply]:
        """Return the entries of a list from all of its pages."""
        return [
            record
            for page in self.pages(service, operation, word, **arguments)
            for record in cast(list[Reply], page.get(name) or [])
        ]

    def list(self, name: str, records: Sequence[Reply]) -> None:
        """Put entries into a list."""
        cast("list[object]", self.whole.setdefault(name, [])).extend(records)

    def under(self, name: str, asked: str, answer: Reply) -> None:
        """Put an answer under the id that was asked for."""
        cast(dict[str, object], self.whole.setdefault(name, {}))[asked] = answer

    def failed(self, action: str, word: str, error: Exception) -> None:
        """Keep why an action failed, and that its word of coverage is open."""
        stop_if_expired(error)
        code = code_of(error)
        denied = code in DENIED
        kind = ProblemKind.PERMISSION if denied else ProblemKind.NETWORK
        what = "is not allowed" if denied else f"failed: {code}"
        self.failures.setdefault(action, (kind, f"{action} {what}"))
        self.incomplete.add(word)

    def _count(self) -> None:
        self.asked += 1
        self.context.progress(self.asked, 0, "answers about the organization")


def permission_of(service: str, operation: str) -> str:
    """Spell a boto3 operation as the permission that it takes."""
    name = "".join(word.capitalize() for word in operation.split("_"))
    return f"{_PREFIXES.get(service, service)}:{name}"

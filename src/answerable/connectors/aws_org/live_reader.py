"""Read paged AWS responses about an organisation; failures become coverage problems.

A refused call becomes a problem that names its permission, and marks its coverage kind
as incomplete. This module needs boto3.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws_errors import error_code, raise_if_expired
from answerable.connectors.aws_session import CONFIG
from answerable.connectors.formats.aws_api_responses import ACCESS_DENIED_CODES
from answerable.model.connector import SyncContext
from answerable.model.sighting import ReadProblemKind

OrgReply = Mapping[str, object]

# These services let few calls a second through: botocore paces itself.
RETRY_CONFIG = CONFIG.merge(Config(retries={"mode": "adaptive", "max_attempts": 10}))
# Services whose permissions have another prefix than boto3 has.
_PREFIXES = {"sso-admin": "sso"}


class OrgPaginator(Protocol):
    """Subset of a boto3 paginator."""

    def paginate(self, **arguments: object) -> Iterator[OrgReply]:
        """Yield replies; the same marker twice raises."""


class OrgClient(Protocol):
    """boto3 client; its operations are generated from the service model."""

    def get_paginator(self, operation: str) -> OrgPaginator:
        """Return the boto3 paginator of an API operation."""


@dataclass(slots=True)
class OrganizationReader:
    """Reader state of one live scan.

    Attributes:
        clients: boto3 clients, by service.
        context: Scan context.
        document: Answer document so far.
        failures: Kind and text of each failed action.
        incomplete: Coverage kinds with a failed call.
        answer_count: Number of answers so far.
    """

    clients: Mapping[str, OrgClient]
    context: SyncContext
    document: dict[str, object] = field(default_factory=dict)
    failures: dict[str, tuple[ReadProblemKind, str]] = field(default_factory=dict)
    incomplete: set[str] = field(default_factory=set)
    answer_count: int = 0

    def iter_pages(
        self, service: str, operation: str, coverage_kind: str, **arguments: object
    ) -> Iterator[OrgReply]:
        """Yield the pages of a list; a failure ends it and becomes a problem."""
        try:
            paginator = self.clients[service].get_paginator(operation)
            for page in paginator.paginate(**arguments):
                self._report_answer_progress()
                yield page
        except (BotoCoreError, ClientError) as error:
            self.record_failure(
                permission_of_operation(service, operation), coverage_kind, error
            )

    def call(
        self, service: str, operation: str, coverage_kind: str, **arguments: object
    ) -> OrgReply:
        """Return the answer of one call, empty after a failure."""
        try:
            reply = getattr(self.clients[service], operation)(**arguments)
        except (BotoCoreError, ClientError) as error:
            self.record_failure(
                permission_of_operation(service, operation), coverage_kind, error
            )
            return {}
        self._report_answer_progress()
        return {k: v for k, v in reply.items() if k != "ResponseMetadata"}

    def read_records(
        self,
        service: str,
        operation: str,
        name: str,
        coverage_kind: str,
        **arguments: object,
    ) -> list[OrgReply]:
        """Return the entries of a list from all of its pages."""
        return [
            record
            for page in self.iter_pages(service, operation, coverage_kind, **arguments)
            for record in cast(list[OrgReply], page.get(name) or [])
        ]

    def add_records(self, name: str, records: Sequence[OrgReply]) -> None:
        """Add entries to a list of the document."""
        cast("list[object]", self.document.setdefault(name, [])).extend(records)

    def add_answer(self, name: str, queried_id: str, answer: OrgReply) -> None:
        """Add an answer under its queried id."""
        cast(dict[str, object], self.document.setdefault(name, {}))[queried_id] = answer

    def record_failure(self, action: str, coverage_kind: str, error: Exception) -> None:
        """Record a failed action, and its coverage kind as incomplete."""
        raise_if_expired(error)
        code = error_code(error)
        denied = code in ACCESS_DENIED_CODES
        kind = ReadProblemKind.PERMISSION if denied else ReadProblemKind.NETWORK
        what = "is not allowed" if denied else f"failed: {code}"
        self.failures.setdefault(action, (kind, f"{action} {what}"))
        self.incomplete.add(coverage_kind)

    def _report_answer_progress(self) -> None:
        """Count one more API answer, and report the progress of the scan."""
        self.answer_count += 1
        self.context.progress(self.answer_count, 0, "responses about the organization")


def permission_of_operation(service: str, operation: str) -> str:
    """Return the IAM permission of a boto3 operation."""
    name = "".join(word.capitalize() for word in operation.split("_"))
    return f"{_PREFIXES.get(service, service)}:{name}"

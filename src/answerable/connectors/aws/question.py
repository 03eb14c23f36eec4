"""What AWS's policy simulator answers, in nouns that need no boto3."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from answerable.connectors.aws_extra import boto3_for
from answerable.model.connector import SyncContext

ALLOWED = "allowed"
PERMISSION = "iam:SimulatePrincipalPolicy"


class Refusal(StrEnum):
    """Why a question was not answered."""

    DENIED = "denied"
    BUSY = "busy"
    GONE = "gone"
    EMPTY = "empty"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Simulated:
    """One answer.

    Attributes:
        decision: `allowed`, `explicitDeny` or `implicitDeny`.
        missing: Condition keys that policies name and nobody stated.
        matched: Ids of the policies whose statements matched.
        organizations: Whether the organisation's policies allow it, None where the
            simulator did not look at them.
    """

    decision: str
    missing: tuple[str, ...]
    matched: tuple[str, ...]
    organizations: bool | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """One question that was not answered."""

    kind: Refusal
    why: str


class Asker(Protocol):
    """Something that answers as AWS's simulator does."""

    @property
    def account(self) -> str:
        """Whose principals it answers about."""
        ...

    def ask(self, principal: str, action: str, resource: str) -> Simulated | Declined:
        """Answer about one call."""
        ...


def open_simulator(context: SyncContext) -> Asker:
    """Open AWS's simulator with the usual AWS settings.

    Raises:
        UsageError: There is no such profile, or the endpoint is no URL.
        EnvironmentRefused: No credentials, no network, or boto3 is not installed.
    """
    with boto3_for("asking AWS"):
        from answerable.connectors.aws.simulate import connect
    return connect(context)

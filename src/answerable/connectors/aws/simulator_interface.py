"""Define the interface to the IAM policy simulator, without importing boto3."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from answerable.connectors.boto3_import import require_boto3
from answerable.model.connector import SyncContext

ALLOWED = "allowed"
PERMISSION = "iam:SimulatePrincipalPolicy"


class SimulationRefusal(StrEnum):
    """Reason why a simulation failed."""

    DENIED = "denied"
    BUSY = "busy"
    GONE = "gone"
    EMPTY = "empty"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """Result of a simulation.

    Attributes:
        decision: `allowed`, `explicitDeny` or `implicitDeny`.
        missing: Condition keys in policies without a value in the request.
        matched: Ids of the policies whose statements matched.
        organizations: Whether the organisation's policies allow it, None where the
            simulator did not evaluate them.
    """

    decision: str
    missing: tuple[str, ...]
    matched: tuple[str, ...]
    organizations: bool | None = None


@dataclass(frozen=True, slots=True)
class SimulationDeclined:
    """Failed simulation."""

    kind: SimulationRefusal
    reason: str


class PolicySimulator(Protocol):
    """Policy simulator for one account."""

    @property
    def account(self) -> str:
        """Account of the simulated principals."""

    def simulate(
        self, principal: str, action: str, resource: str
    ) -> SimulationResult | SimulationDeclined:
        """Ask AWS's policy simulator for the decision on one call."""


def open_simulator(context: SyncContext) -> PolicySimulator:
    """Open the simulator with the default AWS settings.

    Raises:
        UsageError: The profile is unknown, or the endpoint is not a URL.
        EnvironmentFailure: No credentials, no network, or boto3 is not installed.
    """
    with require_boto3("asking AWS"):
        from answerable.connectors.aws.policy_simulator import connect_simulator
    return connect_simulator(context)

"""Call the IAM policy simulator over boto3; simulated calls have no effect.

Source: IAM API Reference, "SimulatePrincipalPolicy". This module needs boto3 and is
imported for `reach --compare-aws` alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws.simulator_interface import (
    SimulationDeclined,
    SimulationRefusal,
    SimulationResult,
)
from answerable.connectors.aws_errors import (
    error_code,
    open_iam_client,
    scan_refused_error,
)
from answerable.connectors.aws_session import CONFIG
from answerable.connectors.formats.aws_api_responses import ACCESS_DENIED_CODES
from answerable.model.connector import SyncContext

SimulatorReply = Mapping[str, object]

_PAGE_LIMIT = 1_000
# The simulator lets a few questions a second through: waiting is botocore's.
_RETRY_CONFIG = Config(retries={"mode": "adaptive", "max_attempts": 10})
_THROTTLING_CODES = (
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
)


class SimulatorClient(Protocol):
    """Subset of a boto3 IAM client used here."""

    def simulate_principal_policy(self, **arguments: object) -> SimulatorReply:
        """Return a page of evaluation results."""


class AwsPolicySimulator:
    """IAM policy simulator of one account.

    Attributes:
        account: Account of the simulated principals.
    """

    def __init__(
        self, iam: SimulatorClient, account: str, context: SyncContext
    ) -> None:
        self._iam, self.account, self._context = iam, account, context

    def simulate(
        self, principal: str, action: str, resource: str
    ) -> SimulationResult | SimulationDeclined:
        """Simulate one call, without condition keys.

        Raises:
            EnvironmentFailure: AWS is unreachable.
        """
        try:
            results = [
                result
                for page in self._iter_pages(principal, action, resource)
                for result in _read_mappings(page, "EvaluationResults")
            ]
        except ClientError as error:
            return _convert_error_code_to_refusal(error_code(error))
        except BotoCoreError as error:
            raise scan_refused_error(error, self._context, "aws") from None
        told = _parse_simulation_result(results[0], resource) if results else None
        if told is None or not told.decision:
            return SimulationDeclined(
                SimulationRefusal.EMPTY, "the response contains no result"
            )
        return told

    def _iter_pages(
        self, principal: str, action: str, resource: str
    ) -> Iterator[SimulatorReply]:
        """Yield all pages of results for one principal, action and resource."""
        asked: dict[str, object] = {
            "PolicySourceArn": principal,
            "ActionNames": [action],
            "ResourceArns": [resource],
        }
        markers: set[str] = set()
        page = self._iam.simulate_principal_policy(**asked)
        while True:
            yield page
            marker = str(page.get("Marker") or "")
            if not page.get("IsTruncated") or not marker or marker in markers:
                return
            if len(markers) >= _PAGE_LIMIT:
                return
            markers.add(marker)
            page = self._iam.simulate_principal_policy(**asked, Marker=marker)


def connect_simulator(context: SyncContext) -> AwsPolicySimulator:
    """Connect the simulator to the account of the default AWS settings.

    Raises:
        UsageError: The profile is unknown, or the endpoint is not a URL.
        EnvironmentFailure: No credentials, refused credentials, or no network.
    """
    iam, account = open_iam_client(
        context, CONFIG.merge(_RETRY_CONFIG), retry_throttling=False
    )
    return AwsPolicySimulator(cast(SimulatorClient, iam), account, context)


def _convert_error_code_to_refusal(code: str) -> SimulationDeclined:
    """Translate an API error code to a reason for no simulation."""
    if code in ACCESS_DENIED_CODES:
        return SimulationDeclined(
            SimulationRefusal.DENIED, "iam:SimulatePrincipalPolicy is not allowed"
        )
    if code in _THROTTLING_CODES:
        return SimulationDeclined(SimulationRefusal.BUSY, "AWS throttled the requests")
    if code == "NoSuchEntity":
        return SimulationDeclined(
            SimulationRefusal.GONE, "the principal no longer exists"
        )
    return SimulationDeclined(
        SimulationRefusal.OTHER, f"AWS rejected the request: {code}"
    )


def _parse_simulation_result(result: SimulatorReply, resource: str) -> SimulationResult:
    """Parse a result, preferring the one for exactly this resource."""
    own = [
        each
        for each in _read_mappings(result, "ResourceSpecificResults")
        if each.get("EvalResourceName") == resource
    ]
    told = own[0] if own else result
    decision = told.get("EvalResourceDecision") or result.get("EvalDecision")
    missing = _read_texts(result, "MissingContextValues") + _read_texts(
        told, "MissingContextValues"
    )
    matched = _read_mappings(told, "MatchedStatements") or _read_mappings(
        result, "MatchedStatements"
    )
    organizations = result.get("OrganizationsDecisionDetail")
    allowed = (
        organizations.get("AllowedByOrganizations")
        if isinstance(organizations, Mapping)
        else None
    )
    return SimulationResult(
        decision=str(decision or ""),
        missing=tuple(dict.fromkeys(missing)),
        matched=tuple(dict.fromkeys(str(m.get("SourcePolicyId")) for m in matched)),
        organizations=allowed if isinstance(allowed, bool) else None,
    )


def _read_mappings(reply: SimulatorReply, name: str) -> Sequence[SimulatorReply]:
    """Return the objects in a list of a reply, empty if it is no list."""
    found = reply.get(name)
    return (
        [each for each in found if isinstance(each, Mapping)]
        if isinstance(found, list)
        else []
    )


def _read_texts(reply: SimulatorReply, name: str) -> list[str]:
    """Return the strings in a list of a reply, empty if it is no list."""
    found = reply.get(name)
    return (
        [each for each in found if isinstance(each, str)]
        if isinstance(found, list)
        else []
    )

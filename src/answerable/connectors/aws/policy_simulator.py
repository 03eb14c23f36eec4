"""IAM policy simulator over boto3; simulated calls have no effect.

Source: IAM API Reference, "SimulatePrincipalPolicy". This module needs boto3 and is
imported for `reach --compare-aws` alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from answerable.connectors.aws.simulator_interface import Declined, Refusal, Simulated
from answerable.connectors.aws_errors import code_of, iam_of, refused
from answerable.connectors.aws_session import CONFIG
from answerable.connectors.formats.aws_api_answers import DENIED
from answerable.model.connector import SyncContext

Reply = Mapping[str, object]

_PAGE_LIMIT = 1_000
# The simulator lets a few questions a second through: waiting is botocore's.
_PATIENT = Config(retries={"mode": "adaptive", "max_attempts": 10})
_BUSY = (
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
)


class Iam(Protocol):
    """Subset of a boto3 IAM client used here."""

    def simulate_principal_policy(self, **arguments: object) -> Reply:
        """Return a page of evaluation results."""
        ...


class Simulator:
    """IAM policy simulator of one account.

    Attributes:
        account: Account of the simulated principals.
    """

    def __init__(self, iam: Iam, account: str, context: SyncContext) -> None:
        self._iam, self.account, self._context = iam, account, context

    def ask(self, principal: str, action: str, resource: str) -> Simulated | Declined:
        """Simulate one call, without condition keys.

        Raises:
            EnvironmentRefused: AWS is unreachable.
        """
        try:
            results = [
                result
                for page in self._pages(principal, action, resource)
                for result in _list(page, "EvaluationResults")
            ]
        except ClientError as error:
            return _declined(code_of(error))
        except BotoCoreError as error:
            raise refused(error, self._context, "aws") from None
        told = _simulated(results[0], resource) if results else None
        if told is None or not told.decision:
            return Declined(Refusal.EMPTY, "the answer holds no result")
        return told

    def _pages(self, principal: str, action: str, resource: str) -> Iterator[Reply]:
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


def connect(context: SyncContext) -> Simulator:
    """Connect to the account of the default AWS settings.

    Raises:
        UsageError: The profile is unknown, or the endpoint is not a URL.
        EnvironmentRefused: No credentials, refused credentials, or no network.
    """
    iam, account = iam_of(context, CONFIG.merge(_PATIENT), patient=False)
    return Simulator(cast(Iam, iam), account, context)


def _declined(code: str) -> Declined:
    if code in DENIED:
        return Declined(Refusal.DENIED, "iam:SimulatePrincipalPolicy is not allowed")
    if code in _BUSY:
        return Declined(Refusal.BUSY, "AWS has had too many questions")
    if code == "NoSuchEntity":
        return Declined(Refusal.GONE, "the principal is not there any more")
    return Declined(Refusal.OTHER, f"AWS takes no such question: {code}")


def _simulated(result: Reply, resource: str) -> Simulated:
    """Parse a result, preferring the one for exactly this resource."""
    own = [
        each
        for each in _list(result, "ResourceSpecificResults")
        if each.get("EvalResourceName") == resource
    ]
    told = own[0] if own else result
    decision = told.get("EvalResourceDecision") or result.get("EvalDecision")
    missing = _texts(result, "MissingContextValues") + _texts(
        told, "MissingContextValues"
    )
    matched = _list(told, "MatchedStatements") or _list(result, "MatchedStatements")
    organizations = result.get("OrganizationsDecisionDetail")
    allowed = (
        organizations.get("AllowedByOrganizations")
        if isinstance(organizations, Mapping)
        else None
    )
    return Simulated(
        decision=str(decision or ""),
        missing=tuple(dict.fromkeys(missing)),
        matched=tuple(dict.fromkeys(str(m.get("SourcePolicyId")) for m in matched)),
        organizations=allowed if isinstance(allowed, bool) else None,
    )


def _list(reply: Reply, name: str) -> Sequence[Reply]:
    found = reply.get(name)
    return (
        [each for each in found if isinstance(each, Mapping)]
        if isinstance(found, list)
        else []
    )


def _texts(reply: Reply, name: str) -> list[str]:
    found = reply.get(name)
    return (
        [each for each in found if isinstance(each, str)]
        if isinstance(found, list)
        else []
    )
